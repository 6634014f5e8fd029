# Two commands for a newcomer: `make demo` and `make test`. Both do all their own set-up.
.DEFAULT_GOAL := help
BIN := .venv/bin
# Test files of the tap in which the wheel skips tests, or differs.
OWN := build full leg mutations overlong security security_asterisk transfer

.PHONY: help setup peers demo serve test test-own unit check format lock pjsip clean

help:  ## show these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup:  ## make .venv from the lock file
	@tools/setup.sh

peers:  ## install the real test peers (Debian, root): SIPp, Asterisk, Chromium …
	@tools/peers.sh

demo: setup  ## two real SIP calls through the tap, to two scorecards
	@$(BIN)/sansheng demo

test: setup peers  ## every test, with real SIP peers, model, PBX and browser
	@$(BIN)/python -m pytest

test-own: setup peers pjsip  ## the SIP tests that need our own PJSIP build
	@SANSHENG_PJSIP=own $(BIN)/python -m pytest $(OWN:%=tests/telephony/test_%.py)

unit: setup  ## the quick tests: no SIP, no model, no browser
	@$(BIN)/python -m pytest -m "not (sip or model or voices or pbx or browser)"

check: setup  ## ruff, ruff format, mypy strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports

format: setup  ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: setup  ## pin every dependency again, with hashes
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras \
		--generate-hashes --quiet --custom-compile-command "make lock" -o requirements.lock

pjsip: setup  ## build our own PJSIP 2.17 (more than four calls a process)
	@tools/pjsip/build.sh

clean:  ## remove the environment and what the demo recorded
	@rm -rf .venv var
