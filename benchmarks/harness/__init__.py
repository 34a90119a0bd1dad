"""What benchmarks share: data, records, tables, and what machine they ran on."""
