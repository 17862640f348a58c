# ---- this kit ----

test: | setup-grade ## is all here that grading takes? some seconds
	$Q$(PYTHON) tests/check.py
