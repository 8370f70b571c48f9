"""Which service caused it: the parts of the ranking that `forewatch.incidents.rootcause` puts together. Pure."""
