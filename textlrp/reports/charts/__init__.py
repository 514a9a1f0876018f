"""Figures as SVG text: line charts, bar charts and maps of documents."""
