# make run      build and serve on http://127.0.0.1:8080
# make test     format, lints, and all tests but those below: some fifteen minutes from nothing
# make test-browser  every page in headless Chromium, at the root and below a path: some ten minutes
# make test-recipes  the apps in examples/ on their real frameworks, and the commands of their guide: some five minutes
# make test-mail  mail with real relays, Postfix, a browser, and kills of the server that sends: some three minutes
# make test-cluster  the store on a real cluster whose nodes fail: as root, some fifteen minutes
# make test-kill  commands that write, killed at fifty moments each, on SQLite and MariaDB: some fifteen minutes
# make test-soak  a million mixed requests while the clock is set forwards and back, on SQLite and MariaDB: some four minutes
# make test-packages  the packages of a release, built as for one, on bare systems: as root, some twenty minutes
# make test-reproducible  the packages made twice, in different folders, and compared: some twenty minutes
# make pictures  take the pictures in docs/pages anew, with headless Chromium
# make bench    measure it beside what people would pick instead: a quarter of an hour, on a quiet machine
# make bench-scale  measure it with 10,000,000 users beside 64: a quarter of an hour, and 25 GB of disk
# make bench-cluster  measure it on three nodes of MariaDB beside SQLite: some five minutes
# make bench-isolation  measure whether requests wait for the writes and hashes of others: half a minute
# make bench-forward  measure what a check costs an app behind nginx and Caddy, beside no check and others: some five minutes
# make release  the binary, at target/release/vestibule, with completions and manual pages beside it
# make packages  what a release consists of, from a clean clone, in target/packages: see docs/packages.md

.PHONY: help run test test-browser test-recipes test-mail test-cluster test-kill test-soak test-packages test-reproducible pictures bench bench-scale bench-cluster bench-isolation bench-forward release packages

help:
	@sed -n 's/^# //p' Makefile

run:
	cargo run --release -- serve

test:
	tests/run.sh

test-browser:
	tests/setup.sh
	cargo build --release --locked --quiet
	tests/browser/run.sh "$${CARGO_TARGET_DIR:-target}/release/vestibule"

test-recipes:
	cargo build --locked --quiet --bin vestibule --example echo
	tests/recipes/run.sh "$${CARGO_TARGET_DIR:-target}/debug/vestibule" "$${CARGO_TARGET_DIR:-target}/debug/examples/echo"
	tests/recipes/document.sh "$${CARGO_TARGET_DIR:-target}/debug/vestibule" "$${CARGO_TARGET_DIR:-target}/debug/examples/echo"
	tests/recipes/openapi.sh "$${CARGO_TARGET_DIR:-target}/debug/vestibule"

test-mail:
	cargo build --locked --quiet --bin vestibule
	tests/mail/run.sh "$${CARGO_TARGET_DIR:-target}/debug/vestibule"

test-cluster:
	tests/cluster.sh

test-kill:
	tests/kill.sh

test-soak:
	tests/soak.sh

test-packages:
	tests/packages/whole.sh

test-reproducible:
	tests/packages/reproducible.sh

packages:
	contrib/packages/packages.sh

pictures:
	cargo build --locked --quiet --bin vestibule
	tests/browser/run.sh "$${CARGO_TARGET_DIR:-target}/debug/vestibule" --documents

bench:
	benches/run.sh

bench-scale:
	benches/run.sh scale

bench-cluster:
	benches/cluster.sh

bench-isolation:
	benches/isolation.sh

bench-forward:
	benches/forward.sh

release:
	cargo build --release --locked
	@mkdir -p target/release/man target/release/completions
	@target/release/vestibule manual target/release/man
	@for shell in bash zsh fish; do \
		target/release/vestibule completions $$shell >target/release/completions/vestibule.$$shell; \
	done
	@ls -l target/release/vestibule
