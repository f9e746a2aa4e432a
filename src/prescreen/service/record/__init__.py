"""The record system at the service: ways, histories, reconciliation, and what speaks FHIR and CDS Hooks to us."""
