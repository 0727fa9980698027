# Build from the root of the repository: docker build -f deploy/images/coordinator.Dockerfile -t isochron/coordinator:0.1.0 .
FROM rust:1.95-slim-trixie AS build
# aws-lc (TLS) is C.
RUN apt-get update && apt-get install -y --no-install-recommends build-essential cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# otlp: traces of attempts for an OpenTelemetry collector.
ARG FEATURES=""
RUN cargo build --release --locked -p isochron-coordinator --features "$FEATURES" && cp target/release/coordinator /coordinator

FROM debian:trixie-slim
COPY --from=build /coordinator /usr/local/bin/coordinator
USER 65532:65532
EXPOSE 7443/udp 6060/tcp
ENTRYPOINT ["coordinator"]
CMD ["serve"]
