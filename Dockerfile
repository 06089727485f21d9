# The one image: operator, and sidecar of sessions. Called as /manager or /sidecars it behaves as the original images do.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package sojourn \
    && mkdir /image \
    && cp target/release/sojourn /image/sojourn \
    && ln -s sojourn /image/manager \
    && ln -s sojourn /image/sidecars

# No shell, no package manager: the C library, certificates of public authorities, and user 65532.
# `make test-node` makes its image from this file: what is in /image, and the instructions below.
FROM gcr.io/distroless/cc-debian12:nonroot
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
