"""SQL: what the clinic at work must not forget, and each act on it as one transaction. Knows no web and no FHIR."""
