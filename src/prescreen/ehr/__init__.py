"""The record system: a signed visit out, a history in; FHIR R4, HL7 v2 or files. Knows no web server, no SQL."""
