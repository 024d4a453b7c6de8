"""Everything between the wire and the application: servicers, converters, validation, errors, interceptors."""
