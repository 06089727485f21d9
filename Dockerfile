# Two images of one program: the operator, which is what a plain build makes, and with `--target sidecars` what stands
# beside a session. Called as /manager or /sidecars the program behaves as the original images do.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package sojourn \
    && mkdir /image \
    && cp target/release/sojourn /image/sojourn \
    && ln -s sojourn /image/manager \
    && ln -s sojourn /image/sidecars

# `make test-node` makes its images from this file: what is in /image, and the instructions below.

# The cloner needs git with what it calls, and SSH wants to know its user by name: sessions run as 1000.
FROM debian:bookworm-slim AS sidecars
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git git-lfs openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --user-group --create-home session
COPY --from=build /image/ /
LABEL org.opencontainers.image.title="sojourn-sidecars" \
      org.opencontainers.image.description="Login, git and SSH beside a user session" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.source="https://github.com/sojourn-dev/sojourn" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="debian:bookworm-slim"
USER 1000:1000
ENTRYPOINT ["/sidecars"]

# No shell, no package manager: the C library, certificates of public authorities, and user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot AS operator
COPY --from=build /image/ /
LABEL org.opencontainers.image.title="sojourn" \
      org.opencontainers.image.description="User sessions on Kubernetes, guarded at the door" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.source="https://github.com/sojourn-dev/sojourn" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
USER 65532:65532
ENTRYPOINT ["/sojourn"]
CMD ["run"]
