"""What connects the application to the world: AWS, the store, authorization."""
