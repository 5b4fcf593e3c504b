# Everything a newcomer needs; `make demo` and `make test` work on a machine with only a Python with pip, git and make.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# one more than the cores of a small machine: a third of the tests' time is waiting for servers that start, stop and die
WORKERS ?= 3
# where the environment forbids keeping bytecode, each of the tests' many processes would compile the house anew
KEEPING := PYTHONDONTWRITEBYTECODE=
COVERED := src/sothebais/auctions/rules.py,src/sothebais/auctions/formats/*,src/sothebais/auctions/machine.py,src/sothebais/auctions/increments.py,src/sothebais/auctions/audit*.py,src/sothebais/auctions/engine.py,src/sothebais/auctions/batch.py,src/sothebais/auctions/hotpath.py,src/sothebais/events/*

.PHONY: help setup demo test check bench soak soak-stream soak-house docs lock format

help:
	@echo "make demo    sell a collection to simulated bidders on embedded servers (ARGS='--lots 3 --speed 10')"
	@echo "make test    all tests but the slow ones (ARGS='-k verify')"
	@echo "make check   format, lint, types, imports"
	@echo "make bench   the benchmarks, as tables; make soak: the slow tests; make soak-stream: a long stream; make soak-house: a long evening"
	@echo "make docs    write the generated documents again; make lock: resolve the dependencies again"

setup:
	@$(PYTHON) tools/bootstrap.py

demo: setup
	@$(BIN)/sothebais demo $(ARGS)

test: setup
	@rm -f .coverage .coverage.*
	$(KEEPING) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow and not quiet" --cov --cov-report= $(ARGS)
	@if [ -z "$(ARGS)" ]; then $(KEEPING) $(BIN)/python -m pytest -m quiet; fi
	@if [ -z "$(ARGS)" ]; then $(BIN)/coverage report --include '$(COVERED)' --fail-under 90; fi

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: setup
	$(BIN)/python -m bench.bids $(ARGS)
	$(BIN)/python -m bench.growth $(ARGS)
	$(BIN)/python -m bench.http $(ARGS)
	$(BIN)/python -m bench.live $(ARGS)
	$(BIN)/python -m bench.compose $(ARGS)
	$(BIN)/python -m bench.pixel $(ARGS)
	$(BIN)/python -m bench.host $(ARGS)

soak: setup
	$(KEEPING) $(BIN)/python -m pytest -m slow $(ARGS)

# STREAM_SOAK_MINUTES=10 make soak-stream
soak-stream: setup
	$(KEEPING) $(BIN)/python -m pytest -m slow tests/soak/test_stream_soak.py $(ARGS)

# HOUSE_SOAK_MINUTES=10 make soak-house
soak-house: setup
	$(KEEPING) $(BIN)/python -m pytest -m slow tests/soak/test_house_soak.py $(ARGS)

docs: setup
	@$(BIN)/python tools/draw_lifecycles.py
	@$(BIN)/python -m sothebais.schema.docs > docs/.schema.md && mv docs/.schema.md docs/schema.md
	@$(BIN)/python -m bench.redteam --document > docs/.host-safety.md && mv docs/.host-safety.md docs/host-safety.md

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup
	UV_SYSTEM_CERTS=1 $$(ls -d .tools/uv-*/bin/uv | tail -n 1) pip compile --quiet --universal --python-version 3.12 --generate-hashes \
		--group dev --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.lock $(ARGS)
