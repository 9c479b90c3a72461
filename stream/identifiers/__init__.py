"""Identifiers of vehicles, goods, parties and documents: what can be checked without asking anybody."""
