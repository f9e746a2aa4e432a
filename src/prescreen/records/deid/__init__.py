"""De-identification: a clinic's record in, a case without identifiers or a refusal out. Fails closed."""
