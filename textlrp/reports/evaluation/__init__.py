"""The evaluation page: findings, a section for each measure, tables and figures."""
