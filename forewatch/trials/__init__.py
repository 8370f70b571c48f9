"""Try before trust: rules, routes, decisions and models, tried on what is stored or on one's own files."""
