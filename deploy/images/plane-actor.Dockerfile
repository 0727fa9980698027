# Build from the root of the repository: docker build -f deploy/images/plane-actor.Dockerfile -t isochron/plane-actor:0.1.0 .
# The AWS SDK needs some minutes and 8 GiB of memory to compile.
FROM rust:1.95-slim-trixie AS build
# aws-lc (TLS) is C.
RUN apt-get update && apt-get install -y --no-install-recommends build-essential cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p isochron-plane-actor && cp target/release/plane-actor /plane-actor

FROM debian:trixie-slim
# EC2, STS and S3 show public certificates.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /plane-actor /usr/local/bin/plane-actor
USER 65532:65532
EXPOSE 6060/tcp
ENTRYPOINT ["plane-actor"]
CMD ["run"]
