# Two commands do everything: `make serve` runs the index, `make test` all that CI runs. `make help` names the others.

PYTHON = python3
comma = ,

help:  ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 12

serve: .venv/.mypi  ## run the index on http://127.0.0.1:6543, uploads open to everyone on this machine
	.venv/bin/pserve development.ini

test: .venv/.mypi-test  ## run everything that CI runs
	.venv/bin/python -m pytest --cov -n 2 --dist loadfile

torture: .venv/.mypi-test  ## kill the server 500 times during uploads, and what else takes longer
	MYPI_TORTURE=20 .venv/bin/python -m pytest --timeout 7200 tests/unit tests/repository tests/system/test_kill.py

stores: .venv/.mypi-test  ## run the application's tests on every store, each of which `make test` runs on two
	MYPI_STORES=all .venv/bin/python -m pytest -n 2 --dist loadfile tests/functional

clients: .venv/.mypi-test  ## run every client of every age that this machine can run, and write docs/clients-*.rst
	MYPI_CLIENTS_ALL=1 MYPI_CLIENTS_PAGE=docs/clients-seen.rst .venv/bin/python -m pytest tests/system/test_publish.py \
	    tests/system/test_publish_errors.py tests/system/test_install.py tests/system/test_prefix.py \
	    tests/system/test_namespace.py tests/system/test_tokens.py

docs: .venv/.mypi-test  ## write the documentation into docs/_build
	.venv/bin/python -m sphinx -W -b html docs docs/_build

clean:  ## remove what was made; var/, where packages are kept, stays
	rm -rf .venv build dist mypi.egg-info docs/_build .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "mypi needs Python 3.10 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/.mypi: .venv/.made setup.py pyproject.toml
	.venv/bin/python -m pip install -e .
	@touch $@

# python-ldap is built from source: where nothing may be skipped there are gcc, python3-dev, libldap2-dev and
# libsasl2-dev. Elsewhere the tests on a real directory are skipped, and what they cover is covered on a double too.
.venv/.mypi-test: .venv/.made setup.py pyproject.toml
	.venv/bin/python -m pip install -e '.[test$(if $(MYPI_NO_SKIPS),$(comma)ldap)]'
	@touch $@ .venv/.mypi

.PHONY: help serve test torture stores clients docs clean
