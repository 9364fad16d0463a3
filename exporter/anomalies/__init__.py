"""Anomalies of a series: a minute that is unlike the same hour of earlier weeks."""
