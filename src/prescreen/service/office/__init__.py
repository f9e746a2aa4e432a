"""The pages of admin and auditor. No chart is opened from here."""
