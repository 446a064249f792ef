// attestation-document.d.ts

import { KeyObject } from 'node:crypto';

/** One certificate extension; `value` is the DER inside the OCTET STRING. */
interface Extension {
    readonly oid: string;
    readonly critical: boolean;
    readonly value: Uint8Array;
}
/** Object identifiers of the extensions that Nitro's certificates carry. */
declare const extensionOids: {
    readonly subjectKeyIdentifier: "2.5.29.14";
    readonly keyUsage: "2.5.29.15";
    readonly basicConstraints: "2.5.29.19";
    readonly crlDistributionPoints: "2.5.29.31";
    readonly authorityKeyIdentifier: "2.5.29.35";
};
/** Bits of keyUsage in the order of RFC 5280 §4.2.1.3. */
type KeyUsage = 'digitalSignature' | 'nonRepudiation' | 'keyEncipherment' | 'dataEncipherment' | 'keyAgreement' | 'keyCertSign' | 'cRLSign' | 'encipherOnly' | 'decipherOnly';
/** basicConstraints, critical unless told otherwise. */
declare function basicConstraints(options: {
    readonly ca: boolean;
    readonly pathLenConstraint?: number | undefined;
    readonly critical?: boolean | undefined;
}): Extension;
/** keyUsage, critical unless told otherwise; no usage at all gives an empty BIT STRING. */
declare function keyUsage(usages: readonly KeyUsage[], options?: {
    readonly critical?: boolean | undefined;
}): Extension;
declare function subjectKeyIdentifier(publicKey: KeyObject): Extension;
declare function authorityKeyIdentifier(issuerPublicKey: KeyObject): Extension;
/** One distribution point with one URL. */
declare function crlDistributionPoint(url: string): Extension;

/** The attribute types that Nitro's certificates use. */
type AttributeType = 'C' | 'ST' | 'L' | 'O' | 'OU' | 'CN';
/** A distinguished name as its relative names in order, one attribute each. */
type DistinguishedName = readonly (readonly [type: AttributeType, value: string])[];
/** A Name in DER; the country is a PrintableString and all else UTF8String, as in Nitro's certificates. */
declare function encodeName(name: DistinguishedName): Uint8Array;

/** Hashes that an issuer can sign with; the signature algorithm is `ecdsa-with-` this one. */
type SignatureHash = 'sha256' | 'sha384' | 'sha512';
/**
 * Everything that goes into one certificate, in the form that is easiest to change one thing of:
 * where DER is given instead of a value, it is written as it is.
 */
interface CertificateRecipe {
    /** 1, 2 or 3; 1 is written by leaving the field out. Any other number is written as it is. Default 3. */
    readonly version?: number | undefined;
    /** Serial number as unsigned big-endian octets. */
    readonly serialNumber: Uint8Array;
    readonly issuer: DistinguishedName | Uint8Array;
    readonly subject: DistinguishedName | Uint8Array;
    /** Whole seconds; or a time in DER. */
    readonly notBefore: Date | Uint8Array;
    /** Whole seconds; or a time in DER. */
    readonly notAfter: Date | Uint8Array;
    /** The subject's key, or a SubjectPublicKeyInfo in DER. */
    readonly publicKey: KeyObject | Uint8Array;
    /** In this order; an empty list leaves the field out. A `Uint8Array` is one whole Extension in DER. */
    readonly extensions: readonly (Extension | Uint8Array)[];
    /** The issuer's private key, on any curve. */
    readonly signingKey: KeyObject;
    /** Default `sha384`. */
    readonly signatureHash?: SignatureHash | undefined;
    /** AlgorithmIdentifier in DER to write inside the TBSCertificate in place of the true one. */
    readonly innerSignatureAlgorithm?: Uint8Array | undefined;
    /** AlgorithmIdentifier in DER to write beside the signature in place of the true one. */
    readonly outerSignatureAlgorithm?: Uint8Array | undefined;
    /** Last change to the TBSCertificate, made before it is signed. */
    readonly mutateTbs?: ((tbsCertificate: Uint8Array) => Uint8Array) | undefined;
    /** Last change to the ECDSA-Sig-Value in DER. */
    readonly mutateSignature?: ((signature: Uint8Array) => Uint8Array) | undefined;
}
/** The AlgorithmIdentifier of ECDSA with a hash, in DER, without parameters (RFC 5758 §3.2). */
declare function ecdsaAlgorithm(hash: SignatureHash): Uint8Array;
/**
 * Writes and signs a certificate exactly as the recipe says (RFC 5280 §4.1). Nothing is checked:
 * a recipe that makes no sense gives a certificate that makes no sense.
 */
declare function issueCertificate(recipe: CertificateRecipe): Uint8Array;

/** The five certificates of a Nitro certification path, from the trust anchor down. */
type Level = 'root' | 'regional' | 'zonal' | 'instance' | 'leaf';
/** From the trust anchor down. */
declare const levels: readonly Level[];
/** A recipe whose names are values, so that the next level can be hung under it. */
interface NitroRecipe extends CertificateRecipe {
    readonly issuer: DistinguishedName;
    readonly subject: DistinguishedName;
    readonly extensions: readonly Extension[];
    readonly notBefore: Date;
    readonly notAfter: Date;
}

/** One certificate of a path, with what it was made from. */
interface PathMember {
    readonly level: Level;
    readonly certificate: Uint8Array;
    readonly privateKey: KeyObject;
    readonly recipe: NitroRecipe;
}
/** Root, regional, zonal, instance and leaf, in this order. */
type CertificationPath = Readonly<Record<Level, PathMember>>;
/** What a document carries and is signed with. */
interface Leaf {
    /** The enclave's certificate. */
    readonly certificate: Uint8Array;
    /** The CA certificates, root first. */
    readonly cabundle: readonly Uint8Array[];
    readonly privateKey: KeyObject;
    /** The last instant of the enclave's certificate. */
    readonly notAfter: Date;
}
/** The part of a path that a document needs. */
declare function leafOf(path: CertificationPath): Leaf;
/** What to change in a path: a recipe before its certificate is signed again, or a whole key. */
interface PathChanges {
    readonly recipes?: Readonly<Partial<Record<Level, (recipe: NitroRecipe) => CertificateRecipe>>>;
    /**
     * Another key for a level, on any curve. Its certificate carries it, the certificate below is
     * signed with it, and the key identifiers of both follow.
     */
    readonly keys?: Readonly<Partial<Record<Level, KeyObject>>>;
}
/**
 * A path that differs from a good one in exactly what `changes` says: the certificates that are
 * touched are signed again with the same issuers' keys, all others keep their very bytes.
 * Names are not followed: a changed subject leaves the issuer of the next certificate as it was.
 */
declare function changePath(path: CertificationPath, changes: PathChanges): CertificationPath;
/** The extensions with the one of the same `oid` replaced in its place, or added at the end. */
declare function withExtension(extensions: readonly Extension[], extension: Extension): readonly Extension[];
/** The extensions without the one of `oid`. */
declare function withoutExtension(extensions: readonly Extension[], oid: string): Extension[];

/** What an attestation document says, apart from its certificates. */
interface AttestationFields {
    readonly moduleId: string;
    /** Milliseconds since 1970. */
    readonly timestamp: number;
    /** The PCRs by index, in the order in which they are to be written. */
    readonly pcrs: ReadonlyMap<number, Uint8Array>;
    /** Default `SHA384`. */
    readonly digest?: string | undefined;
    /** Left out or null: written as null, as Nitro does. Empty stays empty. */
    readonly publicKey?: Uint8Array | null | undefined;
    readonly userData?: Uint8Array | null | undefined;
    readonly nonce?: Uint8Array | null | undefined;
}
/** One pair of the payload's map, key and value each as one CBOR item. */
type PayloadEntry = readonly [key: Uint8Array, value: Uint8Array];
/** The nine pairs of a document in Nitro's order. */
declare function attestationEntries(fields: AttestationFields, leaf: Pick<Leaf, 'certificate' | 'cabundle'>): PayloadEntry[];
/** A pair whose key is text. */
declare function entry(key: string, value: Uint8Array): PayloadEntry;
/**
 * The payload's map from its pairs: of indefinite length, `bf … ff`, as since August 2025, or with
 * `definite: true` of definite length, `a9 …`, as before.
 */
declare function encodePayload(entries: readonly PayloadEntry[], options?: {
    readonly definite?: boolean | undefined;
}): Uint8Array;
/**
 * An attestation document, byte for byte in the form of Nitro's: an untagged COSE_Sign1 with
 * ES384, an empty unprotected header and the nine fields in Nitro's order, those that are not
 * given as null.
 *
 * Whoever has the leaf can say anything with it: what the document states is proven by nothing.
 */
declare function issueAttestationDocument(fields: AttestationFields, leaf: Leaf, options?: {
    readonly definite?: boolean | undefined;
}): Uint8Array;

export { attestationEntries as f, authorityKeyIdentifier as g, basicConstraints as h, changePath as i, crlDistributionPoint as j, ecdsaAlgorithm as k, encodeName as l, encodePayload as m, entry as n, extensionOids as o, issueAttestationDocument as p, issueCertificate as q, keyUsage as r, leafOf as s, levels as t, subjectKeyIdentifier as u, withoutExtension as v, withExtension as w };
export type { AttestationFields as A, CertificateRecipe as C, DistinguishedName as D, Extension as E, KeyUsage as K, Leaf as L, NitroRecipe as N, PathChanges as P, SignatureHash as S, AttributeType as a, CertificationPath as b, Level as c, PathMember as d, PayloadEntry as e };

// forge.d.ts

export { A as AttestationFields, a as AttributeType, C as CertificateRecipe, b as CertificationPath, D as DistinguishedName, E as Extension, K as KeyUsage, L as Leaf, c as Level, N as NitroRecipe, P as PathChanges, d as PathMember, e as PayloadEntry, S as SignatureHash, f as attestationEntries, g as authorityKeyIdentifier, h as basicConstraints, i as changePath, j as crlDistributionPoint, k as ecdsaAlgorithm, l as encodeName, m as encodePayload, n as entry, o as extensionOids, p as issueAttestationDocument, q as issueCertificate, r as keyUsage, s as leafOf, t as levels, u as subjectKeyIdentifier, w as withExtension, v as withoutExtension } from './attestation-document.js';
import { KeyObject } from 'node:crypto';

/** What the simulator writes: definite lengths, shortest integers; a bigint takes eight bytes. */
type CborWritable = string | number | bigint | boolean | null | Uint8Array | readonly CborWritable[] | ReadonlyMap<number | string, CborWritable>;
/** One CBOR item, in memory of its own. */
declare function encodeCbor(value: CborWritable): Uint8Array;

/** What goes into a COSE_Sign1; everything but the payload and the key has Nitro's form by default. */
interface CoseSign1Input {
    /** The bytes that the payload's byte string holds; they are what is signed. */
    readonly payload: Uint8Array;
    /** The private key; ECDSA with SHA-384 on P-384 for a genuine form. */
    readonly privateKey: KeyObject;
    /** The bytes that the protected header's byte string holds. Default `a1013822`, {1: -35}. */
    readonly protected?: Uint8Array | undefined;
    /** The unprotected header as one CBOR item. Default `a0`. */
    readonly unprotected?: Uint8Array | undefined;
    /** Puts tag 18 in front. Default false, as on Nitro. */
    readonly tagged?: boolean | undefined;
    /** Bytes of the external_aad that are signed. Default none. */
    readonly externalAad?: Uint8Array | undefined;
    /** Hash of the signature. Default `sha384`. */
    readonly signatureHash?: 'sha256' | 'sha384' | 'sha512' | undefined;
    /** One CBOR item to write in the payload's place; what is signed stays `payload`. */
    readonly payloadItem?: Uint8Array | undefined;
    /** One CBOR item to write in the protected header's place; what is signed stays `protected`. */
    readonly protectedItem?: Uint8Array | undefined;
    /** Last change to the signature's bytes, r and s. */
    readonly mutateSignature?: ((signature: Uint8Array) => Uint8Array) | undefined;
    /** One CBOR item to write in the signature's place. */
    readonly signatureItem?: Uint8Array | undefined;
}
/** The bytes that a COSE_Sign1 signature covers (RFC 9052 §4.4). */
declare function sigStructure(protectedHeader: Uint8Array, payload: Uint8Array, externalAad?: Uint8Array): Uint8Array;
/**
 * Signs a COSE_Sign1 (RFC 9052 §4.2) with r and s in 48 bytes each and s as it comes: half of
 * all signatures have it in the upper half of the group, as on Nitro. Nothing is checked.
 */
declare function signCoseSign1(input: CoseSign1Input): Uint8Array;

export { encodeCbor, sigStructure, signCoseSign1 };
export type { CborWritable, CoseSign1Input };

// index.d.ts

import { d as PathMember, L as Leaf, b as CertificationPath } from './attestation-document.js';
import { Level } from './forge.js';
export { A as AttestationFields, p as issueAttestationDocument } from './attestation-document.js';
import { KeyObject } from 'node:crypto';

/** What an authority consists of; `modules` holds the lower two levels of each module id. */
interface AuthorityState {
    readonly region: string;
    readonly moduleId: string;
    readonly root: PathMember;
    regional: PathMember;
    zonal: PathMember;
    readonly modules: Map<string, {
        readonly instance: PathMember;
        readonly leaf: PathMember;
    }>;
}

/** Options of `createCertificateAuthority`; every one may be left out. */
interface CertificateAuthorityOptions {
    /** Region in the names of the certificates. Default `us-east-1`. */
    readonly region?: string;
    /** The parent instance, `i-` and 8 to 17 hex digits. Default: random. */
    readonly instanceId?: string;
    /** The enclave, 16 hex digits. Default: the time in 12 digits and 4 random ones, as on Nitro. */
    readonly enclaveId?: string;
    /** The clock. Default: the system's. */
    readonly now?: () => Date;
    /** P-384 private keys to use in place of new ones, for the first path. */
    readonly keys?: Readonly<Partial<Record<Level, KeyObject>>>;
}
/**
 * A PKI in the shape of Nitro's: root, regional, zonal and instance CAs and a leaf for each
 * enclave. Its root is its own, no verifier trusts it unless told to.
 */
declare class CertificateAuthority {
    #private;
    /** Use `createCertificateAuthority` or `loadCertificateAuthority`. */
    constructor(state: AuthorityState, now: () => Date);
    get region(): string;
    /** The enclave that leaves are issued to unless another is named: `i-…-enc…`. */
    get moduleId(): string;
    /** The authority's clock. */
    now(): Date;
    /** The root certificate in DER. */
    get trustAnchor(): Uint8Array;
    /** The root certificate in PEM. */
    get trustAnchorPem(): string;
    /**
     * The enclave's certificate with its key and the CA certificates above it. The same one is
     * returned for up to two and a half hours; then, and whenever a CA above it would end before it,
     * new ones are issued. Synchronous: at most a few milliseconds, when keys are made.
     */
    issueLeaf(moduleId?: string): Leaf;
    /** All five certificates with their private keys and recipes, for `@enclavejs/simulator/forge`. */
    certificationPath(moduleId?: string): CertificationPath;
    /**
     * Saves the authority, keys included, so that other processes can load it: `authority.json`
     * (mode 0600) and `root.pem`. An authority that is already there is never replaced: when
     * another process was first, `save` fails with `ERR_SIMULATOR_DIRECTORY`.
     */
    save(directory: string): Promise<void>;
    /** The authority as text, private keys included, for `importCertificateAuthority`. */
    export(): string;
    /**
     * Writes what QEMU's NSM with signing reads as its signer: `ca-0.der` (root) to `ca-3.der`,
     * `leaf.der`, `leaf.key.pem`, `root.pem`. The leaf lives three hours: call it again before.
     */
    writeSigner(directory: string, moduleId?: string): Promise<void>;
}
/** Creates an authority with new keys. Nothing is written anywhere. */
declare function createCertificateAuthority(options?: CertificateAuthorityOptions): Promise<CertificateAuthority>;
/**
 * Loads an authority that `save` wrote. Whatever has expired since then is issued anew under the
 * same root. Fails with `ERR_SIMULATOR_DIRECTORY` where none is.
 */
declare function loadCertificateAuthority(directory: string, options?: Pick<CertificateAuthorityOptions, 'now'>): Promise<CertificateAuthority>;
/**
 * Loads the authority of a directory, or creates one there. Several processes may do so at once:
 * all get the same. `options` but for `now` matter only to the one that creates it.
 */
declare function openCertificateAuthority(directory: string, options?: CertificateAuthorityOptions): Promise<CertificateAuthority>;
/** The reverse of `CertificateAuthority.export`; throws a `TypeError` on anything else. */
declare function importCertificateAuthority(text: string, options?: Pick<CertificateAuthorityOptions, 'now'>): CertificateAuthority;

/** Why the simulator refused. Match `code`, not the message. */
type SimulatorErrorCode = 
/** The directory of a saved authority is missing, unreadable or not written by this version. */
'ERR_SIMULATOR_DIRECTORY'
/** `register` was loaded where a real `/dev/nsm` exists. */
 | 'ERR_SIMULATOR_REAL_DEVICE'
/** `register` found the global property of the simulator already taken by something else. */
 | 'ERR_SIMULATOR_REGISTERED'
/** An environment variable of the simulator holds a value that it does not understand. */
 | 'ERR_SIMULATOR_ENVIRONMENT';
/** What the simulator throws; a caller's own mistakes are `TypeError` and `RangeError`. */
declare class SimulatorError extends Error {
    readonly name = "SimulatorError";
    readonly code: SimulatorErrorCode;
    constructor(code: SimulatorErrorCode, message: string, options?: ErrorOptions);
}

/** Where a simulated NSM gets its certificates from; a `CertificateAuthority` is one. */
interface LeafIssuer {
    readonly moduleId: string;
    issueLeaf(moduleId: string): Leaf;
    now(): Date;
}
/** Options of `createSimulatedNsm`. */
interface SimulatedNsmOptions {
    readonly certificateAuthority: LeafIssuer;
    /** `i-…-enc…`. Default: that of the authority. */
    readonly moduleId?: string;
    /** The parent instance, in PCR4 and in the module id. Default: that of the module id. */
    readonly instanceId?: string;
    /** The IAM role of the parent, in PCR3. Default: none, PCR3 is zero. */
    readonly roleArn?: string;
    /** PCR0, 1 and 2 are made from it, always the same from the same name. Default `enclavejs`. */
    readonly imageName?: string;
    /** PCRs at boot, 48 bytes each; they win over what the other options give. */
    readonly pcrs?: Readonly<Record<number, Uint8Array>>;
    /** A debug enclave: PCR0, 1, 2 and 8 are zero. PCR3 and PCR4 stay, as on Nitro. Default false. */
    readonly debugMode?: boolean;
    /**
     * All PCRs zero and unlocked, as QEMU's device is outside its `nitro-enclave` machine; `pcrs` alone
     * is still obeyed. Default false: PCR0 to 15 are locked.
     */
    readonly blank?: boolean;
    /**
     * Holds requests to the bounds in AWS's text, which the hardware does not: public_key 1 to 1024
     * bytes, user_data and nonce up to 512. Default false: whatever fits into 4096 bytes.
     */
    readonly strictSizes?: boolean;
    /** Milliseconds that an exchange takes. Default 0. */
    readonly delayMs?: number;
    /** Documents with a payload map of definite length, as before August 2025. Default false. */
    readonly definitePayload?: boolean;
    /** The clock in documents. Default: that of the authority. */
    readonly now?: () => Date;
    /** The PCRs of another thread's device, as they are: `pcrs` and what makes them is not applied. */
    readonly sharedPcrs?: SharedArrayBuffer;
}

/** Names of AWS's error codes that this device gives. */
type NsmErrorName = 'InvalidArgument' | 'InvalidIndex' | 'ReadOnlyIndex' | 'InvalidOperation' | 'BufferTooSmall' | 'InputTooLarge' | 'InternalError';
/**
 * A Nitro Secure Module in this process: CBOR bytes in, CBOR bytes out, nothing of our types. It
 * has the whole state of one (32 PCRs, their locks) and answers like one, with documents that its
 * authority signs. It protects nothing and proves nothing: it is for development and tests.
 */
declare class SimulatedNsm {
    #private;
    /** Use `createSimulatedNsm`. */
    constructor(options: SimulatedNsmOptions);
    /** `i-…-enc…`, as in the documents. */
    get moduleId(): string;
    /** The memory of the PCRs, for `sharedPcrs` of another thread's device. */
    get sharedPcrs(): SharedArrayBuffer;
    /**
     * One exchange. Exchanges are answered one after another in the order of the calls. Never
     * rejects for what is in `request`: errors are responses too. Anything but bytes is a `TypeError`.
     */
    request(request: Uint8Array): Promise<Uint8Array>;
    /**
     * One exchange that blocks the thread, before all that `request` has still waiting on it. Never
     * throws for what is in `request`; anything but bytes is a `TypeError`.
     */
    requestSync(request: Uint8Array): Uint8Array;
}
/** Boots a simulated NSM. */
declare function createSimulatedNsm(options: SimulatedNsmOptions): SimulatedNsm;

export { CertificateAuthority, CertificationPath, Leaf, PathMember, SimulatedNsm, SimulatorError, createCertificateAuthority, createSimulatedNsm, importCertificateAuthority, loadCertificateAuthority, openCertificateAuthority };
export type { CertificateAuthorityOptions, LeafIssuer, NsmErrorName, SimulatedNsmOptions, SimulatorErrorCode };

// register.d.ts

export { };
