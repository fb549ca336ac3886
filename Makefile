# Everything a person or a machine does with this repository. `make help` lists it.
#
# Run it as yourself: what needs root asks sudo for it. As root it works without sudo.

PREFIX ?= /usr/local
ARGS ?=
TARGET := $(or $(CARGO_TARGET_DIR),target)
VAUBAN := $(TARGET)/release/vauban

# A fresh shell may know neither rustup's cargo nor the administrator's tools.
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/sbin:/sbin

# What programs we call, as package:command. A package is installed when its command is missing.
DEPS := build-essential:cc nftables:nft iproute2:ip
DEB_DEPS := build-essential:cc dpkg-dev:dpkg-shlibdeps
DEMO_DEPS := $(DEPS) nmap:nmap
TEST_DEPS := $(DEMO_DEPS) masscan:masscan hping3:hping3 tcpdump:tcpdump iptables:iptables \
	conntrack:conntrack netcat-openbsd:nc.openbsd curl:curl jq:jq procps:ps zmap:zmap socat:socat \
	systemd:systemd-sysusers \
	$(DEB_DEPS) debootstrap:debootstrap lintian:lintian
BENCH_DEPS := ipset:ipset

# The original to measure against. Debian's package starts a daemon when it is installed, so it is
# only unpacked.
PEERS := $(TARGET)/peers
PEER_PORTSENTRY := $(PEERS)/usr/sbin/portsentry

.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: help deps demo-deps test-deps bench-deps deb-deps cargo build run demo test bench deb install clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

# $(call as_root,COMMAND): as root, by sudo, or not at all.
define as_root
	if [ "$$(id -u)" = 0 ]; then $(1); \
	elif command -v sudo >/dev/null; then sudo $(1); \
	else echo "This needs root: run it as root, or install sudo: $(1)" >&2; exit 1; fi
endef

# $(call packages,PACKAGE:COMMAND ...): installs those whose command is missing, with Debian's tools.
# One source of packages that can't be reached fails the update, but need not fail the install.
define packages
	@missing=; \
	for pair in $(1); do \
		command -v "$${pair#*:}" >/dev/null || missing="$$missing $${pair%:*}"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	echo "Missing packages:$$missing"; \
	if ! command -v apt-get >/dev/null; then \
		echo "No apt-get here: install them with your own package manager, then run make again." >&2; \
		exit 1; \
	fi; \
	$(call as_root,apt-get -q update); \
	$(call as_root,env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
		-o DPkg::Lock::Timeout=120 install $$missing)
endef

deps: ## install what building and running need, if missing (root or sudo)
	$(call packages,$(DEPS))

demo-deps: ## the same for the demonstration, which scans
	$(call packages,$(DEMO_DEPS))

test-deps: ## the same for the tests
	$(call packages,$(TEST_DEPS))

bench-deps: test-deps $(PEER_PORTSENTRY) ## fetch PortSentry 1.2 to measure against
	$(call packages,$(BENCH_DEPS))

deb-deps: ## the same for a Debian package
	$(call packages,$(DEB_DEPS))

$(PEER_PORTSENTRY):
	mkdir -p $(PEERS)
	cd $(PEERS) && rm -f portsentry_*.deb && \
	{ apt-get -q download 'portsentry=1.2*' || \
		{ $(call as_root,apt-get -q update) && apt-get -q download 'portsentry=1.2*'; }; } && \
	dpkg-deb -x portsentry_*.deb .

cargo:
	@wanted=$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml); \
	if ! command -v cargo >/dev/null; then \
		echo "cargo is missing. Get Rust $$wanted or later from https://rustup.rs, or your" >&2; \
		echo "distribution's rustup or cargo package, then run make again." >&2; \
		exit 1; \
	fi; \
	found=$$(cargo --version | cut -d ' ' -f 2); \
	if ! printf '%s\n%s\n' "$$wanted" "$$found" | sort -V -C; then \
		echo "cargo $$found is too old: Vauban needs $$wanted. https://rustup.rs has it." >&2; \
		exit 1; \
	fi; \
	if ! command -v cc >/dev/null; then \
		echo "cc is missing, which cargo links with: \`make deps\` installs it." >&2; \
		exit 1; \
	fi

build: cargo ## build the program (the default)
	cargo build --release

$(VAUBAN):
	$(MAKE) build

run: deps build ## build and run the daemon: make run ARGS="its options"
	@$(call as_root,$(VAUBAN) run $(ARGS))

demo: demo-deps build ## show it at work against a real scanner, away from this host's network
	@$(call as_root,$(VAUBAN) demo $(ARGS))

test: cargo ## every check and test, with one total (root or sudo)
	@tests/run.sh

bench: bench-deps cargo build ## measure it beside what one would use instead
	cargo build --release --package vauban-bench
	@$(call as_root,env PATH="$(abspath $(PEERS))/usr/sbin:$(PATH)" $(TARGET)/release/vauban-bench $(ARGS))

deb: deb-deps build ## build a Debian package into target/debian
	@dist/deb/build $(VAUBAN) $(TARGET)/debian

install: $(VAUBAN) ## copy the program to $(DESTDIR)$(PREFIX)/bin
	install -D -m 755 $(VAUBAN) $(DESTDIR)$(PREFIX)/bin/vauban

clean: cargo ## remove what was built
	cargo clean
