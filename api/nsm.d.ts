// index.d.ts

/** What {@link NsmDevice.attestation} puts into a document. */
interface AttestationRequest {
    /** Any bytes the application wants signed. Absent and empty differ: the document says `null` or an empty string. */
    readonly userData?: Uint8Array;
    /** The verifier's challenge, for freshness. */
    readonly nonce?: Uint8Array;
    /** A public key whose private half never leaves the enclave, DER SubjectPublicKeyInfo for KMS. */
    readonly publicKey?: Uint8Array;
}

/** Every code an {@link NsmError} can carry. */
type NsmErrorCode = 
/** There is no device and no simulator: the process does not run in an enclave. */
'ERR_NSM_NOT_FOUND'
/** The device exists and may not be opened. */
 | 'ERR_NSM_ACCESS'
/** The device could not be opened for another reason; see `errno`. */
 | 'ERR_NSM_OPEN'
/** The native addon is missing or does not load: no Linux, or an architecture without a prebuilt addon. */
 | 'ERR_NSM_BINDING'
/** A simulator is registered where a real device exists. */
 | 'ERR_NSM_SIMULATOR_CONFLICT'
/** What is registered as the simulator does not have the form of one. */
 | 'ERR_NSM_SIMULATOR_INVALID'
/** The driver failed; see `errno`. */
 | 'ERR_NSM_IOCTL'
/** No answer within the deadline. The command may still take effect. */
 | 'ERR_NSM_DEADLINE'
/** The device was closed. */
 | 'ERR_NSM_CLOSED'
/** Too many calls wait for the device (1024). */
 | 'ERR_NSM_BUSY'
/** The answer is not the one that the protocol gives to this command. */
 | 'ERR_NSM_RESPONSE'
/** The driver cut an answer that did not fit its buffer of 12288 bytes. */
 | 'ERR_NSM_TRUNCATED'
/** The PCR to measure into holds something already. */
 | 'ERR_NSM_PCR_NOT_ZERO'
/** A check of the platform failed; the error is an `NsmPlatformError`. */
 | 'ERR_NSM_PLATFORM'
/** The kernel's entropy pool could not be seeded; see `errno`. */
 | 'ERR_NSM_ENTROPY'
/** The NSM refused the command: `InvalidArgument`. */
 | 'ERR_NSM_INVALID_ARGUMENT'
/** The NSM refused the command: `InvalidIndex`, no PCR of this index. */
 | 'ERR_NSM_INVALID_INDEX'
/** The NSM refused the command: `InvalidResponse`. */
 | 'ERR_NSM_INVALID_RESPONSE'
/** The NSM refused the command: `ReadOnlyIndex`, the PCR is locked. */
 | 'ERR_NSM_READ_ONLY_INDEX'
/** The NSM refused the command: `InvalidOperation`. */
 | 'ERR_NSM_INVALID_OPERATION'
/** The NSM refused the command: `BufferTooSmall`. */
 | 'ERR_NSM_BUFFER_TOO_SMALL'
/** The NSM refused the command: `InputTooLarge`. */
 | 'ERR_NSM_INPUT_TOO_LARGE'
/** The NSM refused the command: `InternalError`. */
 | 'ERR_NSM_INTERNAL_ERROR'
/** The NSM refused the command with a name that this version does not know; see `nsmCode`. */
 | 'ERR_NSM_UNKNOWN_ERROR';
/** What an {@link NsmError} may carry beside its code. */
interface NsmErrorDetails {
    readonly cause?: unknown;
    readonly nsmCode?: string;
    readonly errno?: number;
    readonly syscall?: 'open' | 'ioctl';
}
/**
 * Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`).
 *
 * @example
 * ```ts
 * import { NsmError, openNsm } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * try {
 *   await nsm.extendPcr(16, new TextEncoder().encode('configuration'))
 * } catch (error) {
 *   if (!(error instanceof NsmError && error.code === 'ERR_NSM_READ_ONLY_INDEX')) throw error
 * }
 * ```
 */
declare class NsmError extends Error {
    readonly code: NsmErrorCode;
    /** AWS's name of the error, as the NSM gave it: `ReadOnlyIndex`. Only where the NSM itself refused. */
    readonly nsmCode: string | undefined;
    /** The number of a failed system call, positive as in errno(3). */
    readonly errno: number | undefined;
    /** The system call that failed. */
    readonly syscall: 'open' | 'ioctl' | undefined;
    constructor(code: NsmErrorCode, message: string, details?: NsmErrorDetails);
}

/** What the NSM says of itself. */
interface NsmDescription {
    readonly versionMajor: number;
    readonly versionMinor: number;
    readonly versionPatch: number;
    /** `i-<instance>-enc<enclave>` on Nitro. */
    readonly moduleId: string;
    /** 32. */
    readonly maxPcrs: number;
    /** The indices of the locked PCRs: 0 to 15 after boot. */
    readonly lockedPcrs: readonly number[];
    /** The digest of the PCRs: `SHA384`. */
    readonly digest: string;
}
/** One platform configuration register. */
interface PcrDescription {
    /** A locked PCR cannot be extended until the enclave ends, and is part of every attestation document. */
    readonly locked: boolean;
    /** 48 bytes, SHA-384. */
    readonly data: Uint8Array;
}

/**
 * One NSM exchange: CBOR request in, CBOR response out. The ioctl of `/dev/nsm` is one, the simulator another. An error
 * that the NSM answers with is a response like any other here; a rejection means that there was no exchange.
 */
interface NsmTransport {
    (request: Uint8Array): Promise<Uint8Array>;
    /** The same on the calling thread, which waits for the device. Absent where a transport cannot. */
    readonly requestSync?: (request: Uint8Array) => Uint8Array;
}

/** A message on the diagnostics channel `enclavejs:nsm:request`, after each exchange. Never holds payload. */
interface NsmRequestEvent {
    /** AWS's name of the command: `Attestation`, `GetRandom`… */
    readonly command: string;
    readonly requestBytes: number;
    /** Absent when there was no answer. */
    readonly responseBytes?: number;
    /** Milliseconds from the call to the answer, waiting for other calls included. */
    readonly duration: number;
}
/**
 * An open NSM. Every method copies its arguments before it returns, runs on a thread of the device's own, and may be
 * called from several places at once; the NSM answers one after the other, whoever asks.
 *
 * All methods throw {@link NsmError}: `ERR_NSM_CLOSED`, `ERR_NSM_DEADLINE`, `ERR_NSM_BUSY`, `ERR_NSM_IOCTL`,
 * `ERR_NSM_RESPONSE`, `ERR_NSM_TRUNCATED`, and the refusals of the NSM, which carry AWS's name in `nsmCode`. Arguments
 * out of bounds throw `TypeError` or `RangeError` before anything is sent.
 */
declare class NsmDevice implements AsyncDisposable {
    #private;
    /**
     * The exchange below the codec, with the deadline and the bounds of this device: CBOR bytes in and out. Its
     * `requestSync` blocks the thread until the NSM answers, without deadline; it is for start-up code that cannot wait.
     */
    readonly transport: NsmTransport;
    /** What answers: the device, a registered simulator, or the `transport` that {@link openNsm} was given. */
    readonly source: 'device' | 'simulator' | 'transport';
    /** Devices come from {@link openNsm}. */
    constructor(source: NsmDevice['source'], transport: NsmTransport, deadline: number, release?: () => void);
    /** The NSM's version, module id and locked PCRs. */
    describeNsm(): Promise<NsmDescription>;
    /**
     * One PCR.
     *
     * @param index - 0 to 31
     */
    describePcr(index: number): Promise<PcrDescription>;
    /**
     * Extends a PCR: its new value is SHA-384 of the old value followed by `data`. Returns the new value, 48 bytes.
     * PCRs 0 to 15 are locked in an enclave; `ERR_NSM_READ_ONLY_INDEX` says so.
     *
     * @param index - 0 to 31
     * @param data - any bytes that fit a request of 4096 bytes: 4069 up to index 23, 4068 above
     */
    extendPcr(index: number, data: Uint8Array): Promise<Uint8Array>;
    /**
     * Locks a PCR until the enclave ends. From then on it is part of every attestation document. A PCR that is locked
     * already is `ERR_NSM_READ_ONLY_INDEX`.
     *
     * @param index - 0 to 31
     */
    lockPcr(index: number): Promise<void>;
    /**
     * Locks the PCRs from 0 to `range` - 1. Those that are locked stay so; this is no error.
     *
     * @param range - 0 to 32
     */
    lockPcrs(range: number): Promise<void>;
    /**
     * Random bytes from the NSM, in as many exchanges as it takes (256 bytes each on Nitro). The kernel feeds from the
     * same source, so `node:crypto` is as good once the platform is checked; this is for seeding and for the cautious.
     *
     * @param count - 0 to 1048576 bytes; the deadline is that of each exchange
     */
    getRandom(count: number): Promise<Uint8Array>;
    /**
     * An attestation document: COSE_Sign1 signed by the NSM over the locked PCRs, the module id, the time, and the three
     * inputs. It proves what runs to whoever verifies it (`@enclavejs/attestation`), not to the enclave itself.
     *
     * The three together must fit a request of 4096 bytes, with 44 to 53 of overhead. AWS's documentation says 1024 each
     * (in one place 512 for `userData` and `nonce`), and verifiers hold to that; the NSM does not.
     */
    attestation(input?: AttestationRequest): Promise<Uint8Array>;
    /**
     * Refuses further calls and resolves when those under way have ended, or have met their deadline. A call that is
     * stuck in the kernel keeps the descriptor until it returns. May be called any number of times.
     */
    close(): Promise<void>;
    /** {@link NsmDevice.close}, for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
}

/** Options of {@link seedEntropy}. */
interface SeedEntropyOptions {
    /** How many bytes of the NSM to add, 32 to 4096. Default 256. */
    readonly bytes?: number;
    /** The kernel's door for entropy. Default `/dev/random`. */
    readonly path?: string;
}
/** What {@link seedEntropy} did. */
interface SeededEntropy {
    readonly bytes: number;
    /** Whether the kernel counts the bytes as entropy, beside mixing them in. Needs CAP_SYS_ADMIN and a real device. */
    readonly credited: boolean;
}
/**
 * Mixes randomness of the NSM into the kernel's pool, from which `getrandom`, `/dev/urandom`, TLS and `node:crypto` draw.
 * A kernel whose `rng_current` is `nsm-hwrng` does this itself; this is for one that does not, and costs little where it
 * does. The bytes are credited as entropy with RNDADDENTROPY where the process may (random(4)); otherwise, and always
 * when a simulator answers, they are mixed in without credit, which cannot make the pool worse.
 *
 * It does not reseed generators that already drew: call it before anything makes keys.
 *
 * @throws {NsmError} `ERR_NSM_ENTROPY` when the pool takes nothing, and what {@link NsmDevice.getRandom} throws
 *
 * @example
 * ```ts
 * import { openNsm, seedEntropy } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * const { credited } = await seedEntropy(nsm)
 * ```
 */
declare function seedEntropy(device: Pick<NsmDevice, 'getRandom' | 'source'>, options?: SeedEntropyOptions): Promise<SeededEntropy>;

/** Options of {@link measure}. */
interface MeasureOptions {
    /** The PCR to measure into, 16 to 31: those an enclave may extend. */
    readonly pcr: number;
}
/** What {@link measure} did. */
interface Measurement {
    readonly pcr: number;
    /** SHA-384 of the data, with which the PCR was extended. */
    readonly digest: Uint8Array;
    /** The value of the PCR from now on, equal to {@link measuredPcr} of the data. */
    readonly value: Uint8Array;
}
/**
 * Measures data that is known only at run time, such as configuration the parent sends, into a PCR and locks it. From
 * then on every attestation document shows the PCR, and a verifier can require the value that {@link measuredPcr} gives.
 * The PCR must be zero and unlocked, so that the value depends on this data and nothing else.
 *
 * What is proven is that the enclave read these bytes before it locked the PCR, not that it acts on them. Whoever can open
 * the device can measure: do it before anything else runs.
 *
 * @throws {NsmError} `ERR_NSM_PCR_NOT_ZERO`, `ERR_NSM_READ_ONLY_INDEX` when the PCR is locked, `ERR_NSM_RESPONSE` when
 * the NSM reports another value than the data gives (somebody else extended the PCR meanwhile)
 *
 * @example
 * ```ts
 * import { measure, openNsm } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * await measure(nsm, new TextEncoder().encode('{"tenant":"a"}'), { pcr: 16 })
 * ```
 */
declare function measure(device: Pick<NsmDevice, 'describePcr' | 'extendPcr' | 'lockPcr'>, data: Uint8Array, options: MeasureOptions): Promise<Measurement>;
/**
 * The value that {@link measure} gives a PCR: SHA-384 of 48 zero bytes followed by SHA-384 of the data. For whoever
 * writes down what a verifier shall require.
 *
 * @example
 * ```ts
 * import { measuredPcr } from '@enclavejs/nsm'
 *
 * const pcr16 = measuredPcr(new TextEncoder().encode('{"tenant":"a"}'))
 * ```
 */
declare function measuredPcr(data: Uint8Array): Uint8Array;

/** Options of {@link openNsm}. Unknown names are refused. */
interface OpenNsmOptions {
    /** The device node. Default `/dev/nsm`. */
    readonly path?: string;
    /**
     * Milliseconds after which a call is rejected with `ERR_NSM_DEADLINE`, from 1 to 2147483647. Default 10000. A command
     * that the device has already begun cannot be taken back and may still take effect.
     */
    readonly deadline?: number;
    /** An exchange of your own in the place of the device, for tests. Neither device nor simulator is looked for. */
    readonly transport?: NsmTransport;
}
/**
 * Opens the Nitro Secure Module: `/dev/nsm`, or the simulator when one is registered in this process
 * (`node --import @enclavejs/simulator/register app.js`). Safe in worker threads; each device has a thread of its own.
 *
 * @throws {NsmError} `ERR_NSM_NOT_FOUND` outside an enclave, `ERR_NSM_ACCESS`, `ERR_NSM_OPEN`, `ERR_NSM_BINDING`,
 * `ERR_NSM_SIMULATOR_CONFLICT` when there are both a device and a simulator, `ERR_NSM_SIMULATOR_INVALID`
 *
 * @example
 * ```ts
 * import { randomBytes } from 'node:crypto'
 * import { openNsm } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * const document = await nsm.attestation({ nonce: randomBytes(32) })
 * ```
 */
declare function openNsm(options?: OpenNsmOptions): NsmDevice;

/** Options of {@link checkPlatform} and {@link assertPlatform}. */
interface PlatformOptions {
    /**
     * The clock sources that are right on this platform. Default on x64 `kvm-clock`, which Nitro gives; on arm64
     * `arch_sys_counter`. QEMU's guests have `tsc`.
     */
    readonly clocksource?: string | readonly string[];
    /** How many milliseconds the clock may be away from the time that the NSM attests. Default 5000. */
    readonly maxClockOffset?: number;
    /** Accept an enclave in debug mode, whose PCRs are zero and whose console the parent reads. Default false. */
    readonly allowDebugMode?: boolean;
    /** Reads a file under /sys as text. Default the file system. */
    readonly readText?: (path: string) => Promise<string>;
    /** The clock to check. Default the system's. */
    readonly now?: () => Date;
}
/** One line of a {@link PlatformReport}. */
interface PlatformCheck {
    readonly name: 'nsm' | 'pcrs' | 'debug-mode' | 'entropy' | 'clocksource' | 'clock';
    /** `skipped` only where a simulator answers and the check is about an enclave's kernel. */
    readonly status: 'passed' | 'failed' | 'skipped';
    readonly expected: string;
    readonly actual: string;
    /** What to do about a failure. */
    readonly fix: string;
}
/** What {@link checkPlatform} found. */
interface PlatformReport {
    /** Always six, in the same order. */
    readonly checks: readonly PlatformCheck[];
    /** Those that failed. */
    readonly failures: readonly PlatformCheck[];
    readonly nsm: NsmDescription;
    /** Milliseconds by which the clock is ahead of the NSM's attested time; negative when behind. */
    readonly clockOffset: number;
}
/** Thrown by {@link assertPlatform}, with code `ERR_NSM_PLATFORM`. */
declare class NsmPlatformError extends NsmError {
    readonly report: PlatformReport;
    constructor(report: PlatformReport);
}
type Device = Pick<NsmDevice, 'describeNsm' | 'describePcr' | 'attestation' | 'source'>;
/**
 * Checks what every enclave should check when it starts: that the NSM is one that this package knows, that the boot PCRs are locked,
 * that the enclave is not in debug mode, that the kernel's randomness comes from the NSM, that the clock source is the
 * one of the platform, and how far the clock is from the time that the NSM attests.
 *
 * The enclave examines itself: this finds misconfiguration and a tampering parent's effects on the clock. It proves nothing
 * to others; that is what attestation documents are for.
 *
 * @throws {NsmError} what the device throws; failed checks are in the report
 */
declare function checkPlatform(device: Device, options?: PlatformOptions): Promise<PlatformReport>;
/**
 * {@link checkPlatform}, and throws unless every check passes.
 *
 * @throws {NsmPlatformError} `ERR_NSM_PLATFORM`, with the report
 *
 * @example
 * ```ts
 * import { assertPlatform, openNsm } from '@enclavejs/nsm'
 *
 * await using nsm = openNsm()
 * await assertPlatform(nsm)
 * ```
 */
declare function assertPlatform(device: Device, options?: PlatformOptions): Promise<PlatformReport>;

export { NsmDevice, NsmError, NsmPlatformError, assertPlatform, checkPlatform, measure, measuredPcr, openNsm, seedEntropy };
export type { AttestationRequest, MeasureOptions, Measurement, NsmDescription, NsmErrorCode, NsmErrorDetails, NsmRequestEvent, NsmTransport, OpenNsmOptions, PcrDescription, PlatformCheck, PlatformOptions, PlatformReport, SeedEntropyOptions, SeededEntropy };
