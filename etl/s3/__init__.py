"""The object store as every tool meets it: through boto3, its errors in our words."""
