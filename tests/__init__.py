"""A package, because an installed one of the same name would be found before a folder that is none."""
