# One file for every program:
#
#   docker build --build-arg PROGRAM=iotbridge-gateway --build-arg VERSION=v1.2.3 .
#
# The result is a program and whom it trusts, on nothing: no shell, no libraries. It
# runs as 65532, with its root file system read-only; /data is for a volume.

ARG PROGRAM=iotbridge-ingest

# By tag: write the digest behind it that your registry shows (golang:…@sha256:…).
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG PROGRAM
ARG VERSION=devel
ARG TARGETOS
ARG TARGETARCH
RUN mkdir -p /out/data \
 && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X iotbridge/internal/buildinfo.version=$VERSION" -o /out/ ./cmd/$PROGRAM

FROM scratch AS image
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /out/data /data
ARG PROGRAM
COPY --from=build /out/$PROGRAM /
USER 65532:65532
ARG VERSION=devel
ARG REVISION=
LABEL org.opencontainers.image.title=$PROGRAM \
      org.opencontainers.image.description="The path from devices over Pub/Sub to BigQuery that trusts only who really sent a message" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION

FROM image AS iotbridge-ingest
ENV INGEST_OPS=:9102
EXPOSE 9102
HEALTHCHECK --start-period=10s CMD ["/iotbridge-ingest", "--healthy"]
ENTRYPOINT ["/iotbridge-ingest"]

FROM image AS iotbridge-gateway
ENV GATEWAY_OPS=:9101
EXPOSE 8883 8443 8080 8081 9101
HEALTHCHECK --start-period=10s CMD ["/iotbridge-gateway", "--healthy"]
ENTRYPOINT ["/iotbridge-gateway"]

FROM image AS iotbridge-agent
ENTRYPOINT ["/iotbridge-agent"]

FROM image AS iotbridge
ENTRYPOINT ["/iotbridge"]

FROM $PROGRAM
