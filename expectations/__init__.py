"""Data-quality gates between the jobs: suites as code, severities, the runner, and Data Docs."""
