"""The identity-provisioning server: AWS IAM users, made whole by one gRPC call."""
