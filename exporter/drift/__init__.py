"""Telling live traffic from its reference."""
