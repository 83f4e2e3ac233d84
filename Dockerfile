# The fst command on a small Debian. First: mvn -B -Pdist -DskipTests package
FROM debian:bookworm-slim
ARG VERSION
RUN --mount=type=bind,source=fst-dist/target,target=/packages dpkg -i "/packages/fst_${VERSION}_amd64.deb"
USER nobody
ENTRYPOINT ["fst"]
CMD ["help"]
