"""Sources of metric families at scrape time: one file, one source."""
