"""What an audit prints: grades, JSON, SARIF, HTML, and the difference to an earlier one."""
