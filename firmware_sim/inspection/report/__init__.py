"""Reports (检验记录) of an inspection: JSON with every reading, JUnit XML for CI, HTML with curves, a Word document."""
