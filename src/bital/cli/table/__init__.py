"""Tables of one's own: what the commands do with CSV, TSV and Parquet files."""
