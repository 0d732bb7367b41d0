"""What a domain's tables need beyond the declarative steps."""
