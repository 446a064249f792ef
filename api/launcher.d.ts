// index.d.ts

import { Server } from 'node:net';
import { DestinationOptions } from '@enclavejs/vsock/proxy';
import { LogEntry } from '@enclavejs/vsock/log';

/** The machine that enclaves are started on, as this package sees it. */
interface Surroundings {
    /**
     * The environment: `PATH`, `NITRO_QEMU_DIR`, `ENCLAVEJS_RUN_DIR`, `XDG_RUNTIME_DIR`, `TMPDIR`, and what the programs get that are
     * started. `process.env` unless given.
     */
    readonly env?: Readonly<Record<string, string | undefined>>;
    /** A folder in place of `/`, for `/dev`, `/etc` and `/sys` of another machine. Empty unless given. */
    readonly root?: string;
}

/** What runs an enclave. */
type BackendKind = 'nitro-cli' | 'qemu' | 'simulator';

/** How a machine ended. */
interface EnclaveEnd {
    /** The exit status of a simulated enclave's program, or of QEMU. No one else says it. */
    readonly status: number | undefined;
    /** In words. */
    readonly reason: string;
}
/** Where the parent reaches an enclave: its CID, or the Unix socket in place of it (hybrid vsock). */
type VsockPlace = {
    readonly cid: number;
} | {
    readonly path: string;
};

/** On what grounds an enclave was let in. */
interface Admission {
    /**
     * `attestation`: a document that the NSM signed over a fresh nonce. `unsigned-document`: QEMU's, which nothing signs. `file`:
     * what nitro-cli computed of the file that it loaded. `none`: nothing was compared.
     */
    readonly by: 'attestation' | 'unsigned-document' | 'file' | 'none';
    /** The PCRs that were compared with the image's, and equal. */
    readonly pcrs: readonly number[];
    /** What that proves, and to whom, in a sentence. */
    readonly proven: string;
    /** What it does not. */
    readonly notProven: string;
}

/** Settings of {@link readConsole}. */
interface ConsoleOptions {
    /** Goes on until the enclave has ended. False unless given: what there is, at most the last two MiB. */
    readonly follow?: boolean;
    /** Ends the reading; its reason is thrown. */
    readonly signal?: AbortSignal;
    readonly surroundings?: Surroundings;
}
/**
 * The console of an enclave, line by line, printable ASCII. An enclave of nitro-cli has one in debug mode only; QEMU and the simulator
 * have one always, which says nothing about production.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_NOT_FOUND`, `ERR_LAUNCHER_NO_CONSOLE`, `ERR_LAUNCHER_RUN_DIRECTORY`
 * @example
 * ```ts
 * import { readConsole } from '@enclavejs/launcher'
 *
 * for await (const line of readConsole('web', { follow: true })) console.log(line)
 * ```
 */
declare function readConsole(name?: string, options?: ConsoleOptions): AsyncGenerator<string, void, undefined>;

/** What leads to an enclave and out of it while it runs. */
interface DoorOptions {
    /** TCP ports of this machine that lead to ports of the enclave. They open when it is ready and admitted. */
    readonly publish?: readonly {
        /** 0 to 65535; 0 is any that is free. */
        readonly port: number;
        /** An IP address: 127.0.0.1 unless given, `0.0.0.0` or `::` for everyone. */
        readonly host?: string;
        /** The enclave's vsock port. */
        readonly to: number;
    }[];
    /** Hosts that the enclave may reach by HTTP CONNECT at `egressPort`, as `createEgress` of `@enclavejs/vsock` does. */
    readonly allow?: readonly DestinationOptions[];
    /** 8001 unless given. */
    readonly egressPort?: number;
    /** Vsock ports of the parent that lead to one host each: 8000 to KMS, for example. */
    readonly outbound?: readonly (DestinationOptions & {
        readonly listen: number;
    })[];
    /** Servers that listen on a vsock port of the parent, for this enclave alone: credentials, for example. They are closed with it. */
    readonly services?: readonly {
        readonly port: number;
        readonly server: Server;
    }[];
}
/** A port that is open. */
interface OpenDoor {
    readonly kind: 'publish' | 'egress' | 'outbound' | 'service';
    /** TCP for `publish`, vsock otherwise. */
    readonly port: number;
}

/** Every code a {@link LauncherError} can carry. */
type LauncherErrorCode = 
/** Nothing here can run this: the message says for each backend why. */
'ERR_LAUNCHER_BACKEND'
/** The image or program cannot be read, is of the wrong kind for the backend, or changed while it was started. */
 | 'ERR_LAUNCHER_IMAGE'
/** Less memory than four times the image, or than the allocator has left. */
 | 'ERR_LAUNCHER_MEMORY'
/** More CPUs than are set aside for enclaves. */
 | 'ERR_LAUNCHER_CPUS'
/** An enclave of this name runs already. */
 | 'ERR_LAUNCHER_NAME'
/** No enclave of this name is known, or several are. */
 | 'ERR_LAUNCHER_NOT_FOUND'
/** The run directory is not this user's alone, or cannot be written. */
 | 'ERR_LAUNCHER_RUN_DIRECTORY'
/** nitro-cli failed; the error is a `NitroCliError` with its code. */
 | 'ERR_LAUNCHER_NITRO_CLI'
/** The machine or the program could not be started. */
 | 'ERR_LAUNCHER_START'
/** It was not ready in time. */
 | 'ERR_LAUNCHER_READY'
/** It ended before it was ready. */
 | 'ERR_LAUNCHER_ENDED'
/** What was measured is not the image. */
 | 'ERR_LAUNCHER_MEASUREMENT'
/** No document could be had from the enclave, or the one it gave is refused; see `cause`. */
 | 'ERR_LAUNCHER_ATTESTATION'
/** A port of the parent could not be taken, for the proxy or a service; see `cause`. */
 | 'ERR_LAUNCHER_PORT'
/** It could not be ended. */
 | 'ERR_LAUNCHER_STOP'
/** It has no console: not in debug mode. */
 | 'ERR_LAUNCHER_NO_CONSOLE';
/** What goes wrong in this package, apart from the caller's own mistakes (`TypeError`, `RangeError`). */
declare class LauncherError extends Error {
    readonly code: LauncherErrorCode;
    constructor(code: LauncherErrorCode, message: string, options?: {
        readonly cause?: unknown;
    });
}
/** nitro-cli failed: `ERR_LAUNCHER_NITRO_CLI`. */
declare class NitroCliError extends LauncherError {
    /** AWS's code, `E36` for example; undefined where nitro-cli gave none. The first one that it printed. */
    readonly nitroCode: string | undefined;
    constructor(nitroCode: string | undefined, message: string, options?: {
        readonly cause?: unknown;
    });
}

/** An enclave that is known here. */
interface EnclaveInfo {
    readonly name: string;
    readonly backend: BackendKind;
    /**
     * `unsupervised`: it runs, and the process that carried its proxy does not, or was none of ours. `gone`: only the record is left;
     * `stopEnclave` and the next run of this name remove it.
     */
    readonly state: 'starting' | 'running' | 'stopping' | 'unsupervised' | 'gone';
    /** 0 while nitro-cli has not said it. */
    readonly cid: number;
    /** Where `connect` of `@enclavejs/vsock` reaches it. For a simulated one the simulator must be registered with `simulatorDirectory`. */
    readonly vsock: VsockPlace;
    readonly simulatorDirectory: string | undefined;
    readonly enclaveId: string | undefined;
    readonly debugMode: boolean;
    readonly memoryMib: number;
    readonly cpus: number;
    readonly startedAt: Date | undefined;
    /** The path of its image or program. */
    readonly image: string | undefined;
    /** PCRs of the image file when it was started, in hex. */
    readonly pcrs: Readonly<Record<string, string>> | undefined;
    readonly admission: Admission | undefined;
    readonly logPort: number | undefined;
    /** The process that watches it. */
    readonly supervisorPid: number | undefined;
}
/** What {@link listEnclaves} found. */
interface EnclaveList {
    readonly enclaves: readonly EnclaveInfo[];
    /** Why enclaves of nitro-cli may be missing; undefined where none can. */
    readonly problem: NitroCliError | undefined;
}
/**
 * The enclaves that this user has started with this package, alive or dead, and those that nitro-cli lists besides.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_RUN_DIRECTORY`
 * @example
 * ```ts
 * import { listEnclaves } from '@enclavejs/launcher'
 *
 * for (const { name, backend, state, cid } of (await listEnclaves()).enclaves) {
 *   console.log(name, backend, state, cid)
 * }
 * ```
 */
declare function listEnclaves(surroundings?: Surroundings): Promise<EnclaveList>;
/**
 * The one enclave of a name; of any name where there is only one.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_NOT_FOUND`, `ERR_LAUNCHER_RUN_DIRECTORY`
 */
declare function findEnclave(name: string | undefined, surroundings?: Surroundings): Promise<EnclaveInfo>;

/** Settings of `runEnclave`. Unknown names are refused. */
interface RunOptions extends DoorOptions {
    /** 1 to 32 letters, digits, `.`, `_` and `-`. Made of the path unless given. */
    readonly name?: string;
    /** Chosen unless given: nitro-cli on an enclave-enabled instance, else QEMU; the simulator for programs. */
    readonly backend?: BackendKind;
    /** MiB, 64 to 4,194,304. The greater of 512 and four times the image unless given. The simulator ignores it. */
    readonly memoryMib?: number;
    /** 1 to 512. 2 unless given. The simulator ignores it. */
    readonly cpus?: number;
    /** 4 to 4294967294. A free one unless given. */
    readonly cid?: number;
    /**
     * Dangerous: starts it in debug mode. Its PCR0, 1, 2 and 8 are zero, so that no policy and no verifier should accept it, and
     * its console can be read. QEMU always shows its console; whether its PCRs are zero depends on how it was built. Default false.
     */
    readonly dangerouslyDebug?: boolean;
    /** The IAM role of the parent, for PCR3 of QEMU and the simulator. An instance has its own. */
    readonly role?: string;
    /** A program only: the file to run in its folder. What `main` names unless given. */
    readonly entry?: string;
    /** A program only: its arguments. */
    readonly args?: readonly string[];
    /** A program only: its environment. Of this process's it gets `PATH`, `HOME`, `TMPDIR` and `TZ`. */
    readonly env?: Readonly<Record<string, string>>;
    /** Ready is: something listens on this vsock port of the enclave. Unless given, the heartbeat suffices. */
    readonly readyPort?: number;
    /** QEMU only: `false` starts an image whose init sends no heartbeat. nitro-cli always waits for it. Default true. */
    readonly heartbeat?: boolean;
    /**
     * A vsock port where the enclave answers a message of 32 bytes, the nonce, with an attestation document. Before it answers and its PCRs are the
     * image's, no port to it or out of it opens.
     */
    readonly attestPort?: number;
    /** Roots (DER) in place of AWS's, for `attestPort`. The simulator's own is known. */
    readonly trustAnchors?: readonly Uint8Array[];
    /** Milliseconds until it must be ready: 1,000 to 3,600,000. 120,000 unless given. */
    readonly timeout?: number;
    /** The vsock port of its log (`createLog` of `@enclavejs/vsock/log`), whose entries then come as events. */
    readonly logPort?: number;
    /** Told what happens. What it throws is ignored. */
    readonly onEvent?: (event: RunEvent) => void;
    /** Ends it while it starts; its reason is thrown. Afterwards there is `stop`. */
    readonly signal?: AbortSignal;
    readonly surroundings?: Surroundings;
}
/** What happens while an enclave runs. */
type RunEvent = {
    readonly type: 'backend';
    readonly backend: BackendKind;
    readonly reason: string;
} | {
    readonly type: 'measuring';
    readonly done: number;
    readonly total: number;
} | {
    readonly type: 'measured';
    readonly pcrs: Readonly<Record<string, string>>;
}
/** Something about the image that the inspector warns of. */
 | {
    readonly type: 'doubt';
    readonly code: string;
    readonly message: string;
} | {
    readonly type: 'starting';
    readonly memoryMib: number;
    readonly cpus: number;
} | {
    readonly type: 'started';
    readonly cid: number;
    readonly enclaveId: string | undefined;
} | ({
    readonly type: 'admitted';
} & Admission) | {
    readonly type: 'ready';
    readonly by: 'heartbeat' | 'port' | 'start';
    readonly milliseconds: number;
} | {
    readonly type: 'open';
    readonly doors: readonly OpenDoor[];
}
/** A line of its console, printable. */
 | {
    readonly type: 'console';
    readonly line: string;
} | {
    readonly type: 'log';
    readonly entry: LogEntry;
} | {
    readonly type: 'stopping';
} | ({
    readonly type: 'ended';
} & RunEnd);
/** How a run ended. */
interface RunEnd extends EnclaveEnd {
    /** Whether it was asked to end: by `stop`, here or from another process. */
    readonly asked: boolean;
    /** Connections that were cut off. */
    readonly cut: number;
    /** Whether it took force. */
    readonly forced: boolean;
}

/** An enclave that runs under this process. */
interface RunningEnclave extends AsyncDisposable {
    readonly name: string;
    readonly backend: BackendKind;
    readonly cid: number;
    /** Where `connect` of `@enclavejs/vsock` reaches it. */
    readonly vsock: VsockPlace;
    /** `i-…-enc…` of nitro-cli and QEMU. */
    readonly enclaveId: string | undefined;
    readonly debugMode: boolean;
    readonly memoryMib: number;
    readonly cpus: number;
    /** PCRs of the image file in hex; undefined for a program. */
    readonly pcrs: Readonly<Record<string, string>> | undefined;
    /** On what grounds it was let in. */
    readonly admission: Admission;
    /** The ports that are open for it. */
    readonly doors: readonly OpenDoor[];
    /** Resolves when it has ended and nothing of it is left. Rejects with `ERR_LAUNCHER_STOP` if it could not be ended. */
    readonly ended: Promise<RunEnd>;
    /**
     * Ends it: takes no more connections, lets open ones end for `grace` milliseconds (10,000 unless given), then ends the enclave:
     * a simulated program and QEMU are asked first and killed after `grace` again. A second call with a shorter grace hastens the first.
     *
     * @throws {LauncherError} `ERR_LAUNCHER_STOP`
     */
    stop(options?: {
        readonly grace?: number;
    }): Promise<RunEnd>;
}

/**
 * Starts an enclave and watches it until it ends. `path` is an image (EIF), or a program of Node (its folder or a file) for
 * the simulator. In this order: it chooses a backend and says which; measures the image; checks its memory (four times
 * the image, as AWS asks) and on an instance what the allocator has left; starts it; waits for its heartbeat; asks it for a
 * document, with `attestPort`, and compares its PCRs with the image's; opens what leads out of it; waits for `readyPort`;
 * and opens what leads to it. Without `attestPort` what leads out is open from the beginning.
 *
 * What is proven is in `admission`, in words. Nothing of it reaches a client: this runs on the parent, which no client trusts.
 *
 * Other processes of this user find it by its name: `listEnclaves`, `stopEnclave`, `readConsole`.
 *
 * @throws {LauncherError} Every code but `ERR_LAUNCHER_NOT_FOUND` and `ERR_LAUNCHER_NO_CONSOLE`. Nothing runs then.
 * @throws {EifError} The image cannot be read as one.
 * @throws {VsockError} `ERR_VSOCK_PROXY_CONFIG` for a port or host that is none.
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { runEnclave } from '@enclavejs/launcher'
 *
 * await using enclave = await runEnclave('app.eif', {
 *   publish: [{ port: 443, host: '0.0.0.0', to: 8443 }],
 *   attestPort: 5001,
 *   readyPort: 8443,
 * })
 * console.log(enclave.backend, enclave.cid, enclave.admission.proven)
 * await enclave.ended
 * ```
 */
declare function runEnclave(path: string, options?: RunOptions): Promise<RunningEnclave>;

/**
 * The simulator's directory for this process, whose end of the simulated vsock is the parent's. A process has one; where
 * the application has registered a simulator itself, it is that one's.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_BACKEND`
 */
declare function joinSimulator(directory: string, from: string): Promise<string>;

/** Settings of {@link stopEnclave}. */
interface StopOptions {
    /** Milliseconds for its supervisor to end it, 0 to 600,000; then force is used. 30,000 unless given. */
    readonly timeout?: number;
    readonly surroundings?: Surroundings;
}
/** What {@link stopEnclave} did. */
interface StopResult {
    readonly name: string;
    /**
     * `stopped`: its supervisor ended it, connections first. `forced`: the enclave was ended without its supervisor. `removed`: it had
     * ended, and what was left of it is removed.
     */
    readonly how: 'stopped' | 'forced' | 'removed';
}
/**
 * Ends an enclave, whoever started it: its supervisor is asked; where there is none, or it does not do it in time, the
 * enclave is ended directly. Without a name it must be the only one.
 *
 * @throws {LauncherError} `ERR_LAUNCHER_NOT_FOUND`, `ERR_LAUNCHER_STOP`, `ERR_LAUNCHER_NITRO_CLI`, `ERR_LAUNCHER_RUN_DIRECTORY`
 * @throws {TypeError | RangeError} An option is not as described, or is not known.
 * @example
 * ```ts
 * import { stopEnclave } from '@enclavejs/launcher'
 *
 * const { how } = await stopEnclave('web')
 * ```
 */
declare function stopEnclave(name?: string, options?: StopOptions): Promise<StopResult>;

export { LauncherError, NitroCliError, findEnclave, joinSimulator, listEnclaves, readConsole, runEnclave, stopEnclave };
export type { Admission, BackendKind, ConsoleOptions, DoorOptions, EnclaveEnd, EnclaveInfo, EnclaveList, LauncherErrorCode, OpenDoor, RunEnd, RunEvent, RunOptions, RunningEnclave, StopOptions, StopResult, Surroundings, VsockPlace };
