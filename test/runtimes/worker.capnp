using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "conformance", worker = .worker)],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "suite.js", esModule = embed "suite.js"),
    (name = "attestation.js", esModule = embed "attestation.js"),
    (name = "conformance.js", esModule = embed "conformance.js"),
    (name = "corpus.js", esModule = embed "corpus.js"),
    (name = "documents.js", esModule = embed "documents.js"),
    (name = "real-documents.js", esModule = embed "real-documents.js"),
  ],
  compatibilityDate = "2026-11-01",
);
