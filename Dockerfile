# The binary, and what it needs to run: libc, the authorities that TLS trusts, and nothing that it may write to.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The target folder stays between builds, so the binary is taken out of it in the same step.
RUN --mount=type=cache,target=/src/target \
    --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked --package tradepost --features amqp-tls,redis-tls && \
    cp target/release/tradepost /tradepost && \
    mkdir /data

FROM debian:bookworm-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /tradepost /usr/local/bin/tradepost
# By number, so that Kubernetes can tell that it is not root.
COPY --from=build --chown=10001:10001 /data /data
USER 10001:10001
WORKDIR /data
ENV TRADEPOST_DATA_DIR=/data \
    TRADEPOST_LISTEN=0.0.0.0 \
    TRADEPOST_LOG_FORMAT=json
VOLUME /data
# Asks /readyz of the process in this container, at TRADEPOST_PORT.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["tradepost", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tradepost"]
CMD ["up"]
