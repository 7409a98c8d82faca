# Two commands do everything: `make serve` runs the index, `make test` all that CI runs. `make help` names the others.

PYTHON = python3
comma = ,

help:  ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 12

serve: .venv/.mypi  ## run the index on http://127.0.0.1:6543, uploads open to everyone on this machine
	.venv/bin/pserve development.ini

test: .venv/.mypi-test  ## run everything that CI runs
	.venv/bin/python -m pytest --cov -n 2 --dist loadfile

# The longest first: each worker takes one file after the other.
TORTURE = $(addprefix tests/,system/test_kill.py repository/test_state_machine.py torture/test_large.py \
    torture/test_outages.py torture/test_power.py functional/test_no_500.py repository/test_faults.py \
    torture/test_backup.py torture/test_crowds.py torture/test_gone.py torture/test_restarts.py system/test_nodes.py \
    repository/test_linear.py repository/test_concurrency.py unit/test_wheels.py unit/test_tars.py unit/test_zips.py \
    unit/test_hostile_zips.py unit/test_differential.py unit/test_forms.py unit/test_server.py \
    system/test_full_disk.py backends/test_crashes.py backends/test_power_loss.py backends/test_disks.py \
    backends/test_failing_disk.py backends/test_zodb_outages.py backends/test_s3_faults.py system/test_memory.py \
    system/test_server_hardening.py repository/test_verify.py repository/test_scrub.py repository/test_clock.py \
    test_promises.py)

torture: .venv/.mypi-test  ## break it at length, in half an hour: kills, faults, crowds, fuzz; ends with a table
	MYPI_TORTURE=20 MYPI_KILLS=100 .venv/bin/python -m pytest --timeout 1800 -n 2 --dist loadfile \
	    --no-loadscope-reorder $(TORTURE)

audit: .venv/.mypi-test  ## ask for known weaknesses of what mypi depends on; needs the internet
	.venv/bin/python -m pip install -q pip-audit
	.venv/bin/python -m pip freeze --exclude-editable | \
	    .venv/bin/python -m pip_audit --strict --disable-pip --no-deps -r /dev/stdin

stores: .venv/.mypi-test  ## run the application's tests on every store, each of which `make test` runs on two
	MYPI_STORES=all .venv/bin/python -m pytest -n 2 --dist loadfile tests/functional

clients: .venv/.mypi-test  ## run every client of every age that this machine can run, and write docs/clients-*.rst
	MYPI_CLIENTS_ALL=1 MYPI_CLIENTS_PAGE=docs/clients-seen.rst .venv/bin/python -m pytest tests/system/test_publish.py \
	    tests/system/test_publish_errors.py tests/system/test_install.py tests/system/test_prefix.py \
	    tests/system/test_namespace.py tests/system/test_tokens.py

bench: .venv/.mypi-test  ## measure beside other indexes and bare servers, in 20 minutes; ONLY=pages for a part
	.venv/bin/python -m benchmarks $(ONLY)

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

.PHONY: help serve test torture audit stores clients bench docs clean
