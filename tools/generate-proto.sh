#!/usr/bin/env bash
# Generates libs/protocol/src/generated from proto/. Run it after changing a .proto file and commit the result;
# building Cria needs neither this script nor protoc. The generators are fetched by npx, pinned here.
set -euo pipefail
cd "$(dirname "$0")/.."
out=libs/protocol/src/generated
rm -rf "$out" && mkdir -p "$out"
cat >/tmp/cria-buf.gen.yaml <<YAML
version: v2
plugins:
  - local: protoc-gen-ts_proto
    out: $out
    opt:
      - outputServices=grpc-js
      - esModuleInterop=true
      - env=node
      - forceLong=number
      - importSuffix=.js
      - oneof=unions-value
      - useExactTypes=false
      - stringEnums=false
      - enumsAsLiterals=true
      - outputJsonMethods=false
      - outputPartialMethods=false
YAML
npx --yes --package=@bufbuild/buf@1.57.2 --package=ts-proto@2.18.0 -- buf generate proto --template /tmp/cria-buf.gen.yaml
npx prettier --write "$out" >/dev/null
