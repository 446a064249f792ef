// acm.d.ts

import { Duplex } from 'node:stream';
import { SimulatedConnect, SimulatedAccount, ListenAddress, ServerAddress } from './kms.js';
import { KmsFaultScope, KmsFault, SimulatedKms, RecordedRequest } from './kms.js';

/** A certificate with the path to its root, in PEM. */
interface IssuedCertificate {
    readonly certificate: string;
    /** The intermediate CA and the root. */
    readonly certificateChain: string;
}
/** What an issuer is told beside names and key; every member may be left out. */
interface IssueOptions {
    /** Default: an hour ago. */
    readonly notBefore?: Date;
    /** Default: thirteen months after `notBefore`, as ACM's. */
    readonly notAfter?: Date;
}

/** Algorithms of ACM's keys that the simulator makes. */
type AcmKeyAlgorithm = 'RSA_2048' | 'EC_prime256v1' | 'EC_secp384r1';

/** What a new certificate is to be. */
interface CertificateOptions extends IssueOptions {
    /** Host names, the first in the subject too. */
    readonly names: readonly string[];
    /** Default `EC_prime256v1`. */
    readonly keyAlgorithm?: AcmKeyAlgorithm;
    /** Default: the first account. */
    readonly accountId?: string;
    /** Default false. */
    readonly exportable?: boolean;
}

/** Options of `createSimulatedAcm`. */
interface SimulatedAcmOptions {
    /** The accounts whose access keys are known. The first owns certificates and buckets unless told otherwise. */
    readonly accounts: readonly SimulatedAccount[];
    /** The simulated KMS: keys of associated certificates are made there. Its accounts must hold `serviceAccount`. */
    readonly kms: SimulatedKms;
    /** Stands for the account of AWS that owns the bucket and the keys of associated certificates. */
    readonly serviceAccount: SimulatedAccount;
    /**
     * PCR0, in hex, of the one image that may decrypt associated bundles. Default: 96 times `a`, an image that nobody has, as AWS's
     * is for others. `null`: any enclave of the role.
     */
    readonly imagePcr0?: string | null;
    /** Default: that of `kms`. */
    readonly region?: string;
    /** Default: a free port of 127.0.0.1. */
    readonly listen?: ListenAddress;
    /** Requests that `requests` keeps. Default 1000. */
    readonly recordLimit?: number;
    /** The clock. Default: the system's. */
    readonly now?: () => Date;
}
/** What goes wrong with an answer of S3, EC2 or ACM, and of which requests: those of KMS's faults that are about any answer. */
type AcmFault = KmsFaultScope & Extract<KmsFault, {
    readonly kind: 'error' | 'refuse' | 'reset' | 'truncate' | 'slow' | 'stall' | 'unavailable' | 'raw-body' | 'huge-body' | 'huge-headers' | 'date';
}>;
/**
 * S3, ACM and the three calls of EC2 that associate certificates with roles, over HTTPS on this machine with a CA of its own.
 * Bundles of associated certificates lie where AWS puts them and are renewed on demand.
 */
declare class SimulatedAcm {
    #private;
    readonly region: string;
    /** The CA of its TLS, in PEM. */
    readonly ca: string;
    /** The root that its certificates end in, in PEM. */
    readonly issuerRoot: string;
    /** The bucket of associated certificates. */
    readonly bucketName: string;
    /**
     * Dials this server; or the simulated KMS where its host is asked for. `roots` holds the CAs of both.
     */
    readonly connect: SimulatedConnect;
    /** Use `createSimulatedAcm`. */
    constructor(options: SimulatedAcmOptions);
    /** Starts to listen; `createSimulatedAcm` has called it. */
    listen(): Promise<void>;
    /** Where it listens. */
    address(): ServerAddress;
    /** Serves a stream that something else accepted: a vsock listener, a proxy. */
    serve(stream: Duplex): void;
    /** Makes an issued certificate without a request. */
    createCertificate(options: CertificateOptions): Promise<string>;
    /** Renews a certificate as ACM does before its end: new key, new certificate, new bundles. */
    renew(certificateArn: string, options?: IssueOptions): Promise<void>;
    /** Certifies a PKCS #10 request, as any CA would. */
    answerRequest(request: string | Uint8Array, options?: IssueOptions): Promise<IssuedCertificate>;
    /** Makes an empty bucket. */
    createBucket(name: string, options?: {
        readonly accountId?: string;
        readonly region?: string;
    }): void;
    /** Writes an object without a request. */
    putObject(bucket: string, key: string, bytes: Uint8Array): void;
    /** Reads an object without a request; undefined where there is none. */
    getObject(bucket: string, key: string): Uint8Array | undefined;
    /** Arms a fault for requests to come, of `operation` (`GetObject`, `PutObject`…) when given. */
    fault(fault: AcmFault): void;
    clearFaults(): void;
    /** The last requests, oldest first. */
    get requests(): readonly RecordedRequest[];
    clearRequests(): void;
    /** Ends every connection and stops to listen. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}
/**
 * Starts simulated S3, ACM and EC2 beside a simulated KMS. To be closed.
 *
 * @example
 * ```ts
 * import { createCertificateAuthority } from '@enclavejs/simulator'
 * import { createSimulatedAcm } from '@enclavejs/simulator/acm'
 * import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
 *
 * const authority = await createCertificateAuthority()
 * const account = createSimulatedAccount()
 * const serviceAccount = createSimulatedAccount({ accountId: '999999999999' })
 * await using kms = await createSimulatedKms({
 *   accounts: [account, serviceAccount],
 *   attestationRoots: [authority.trustAnchor],
 * })
 * await using acm = await createSimulatedAcm({ accounts: [account], kms, serviceAccount })
 * const certificateArn = await acm.createCertificate({ names: ['www.example.com'] })
 * await acm.renew(certificateArn)
 * ```
 */
declare function createSimulatedAcm(options: SimulatedAcmOptions): Promise<SimulatedAcm>;

export { SimulatedAcm, createSimulatedAcm };
export type { AcmFault, AcmKeyAlgorithm, CertificateOptions, IssueOptions, IssuedCertificate, SimulatedAcmOptions };

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

// aws.d.ts

import { SimulatedAcm } from './acm.js';
import { SimulatedImds } from './imds.js';
import { SimulatedAccount, PolicyDocument } from './kms.js';
import { SimulatedKms } from './kms.js';
import 'node:stream';

/** Options of `startSimulatedAws`; every one may be left out. */
interface SimulatedAwsOptions {
    /**
     * What `ENCLAVEJS_SIMULATOR_DIR` is to be: the authority lies there, the sockets of the simulated vsock, and the keys of the
     * KMS in `kms`. Default: a directory that `close` removes.
     */
    readonly directory?: string;
    /** Default `eu-west-1`. */
    readonly region?: string;
    /** Default `123456789012`. */
    readonly accountId?: string;
    /** The role of the instance. Default `enclave`. */
    readonly role?: string;
    /** Policy of the key `alias/enclave`. Default: what it has, or for a new key the account may do all. */
    readonly policy?: PolicyDocument | string;
}
/** KMS, IMDS and the ports of the parent, for processes that are told where they are. */
interface SimulatedAws {
    readonly account: SimulatedAccount;
    readonly kms: SimulatedKms;
    readonly imds: SimulatedImds;
    /** S3, ACM and EC2, in memory. */
    readonly acm: SimulatedAcm;
    /** ARN of the symmetric key `alias/enclave`. */
    readonly keyArn: string;
    /** Variables for the processes that are to use it. Nothing of ours reads them but the simulator its own. */
    readonly environment: Readonly<Record<string, string>>;
    close(): Promise<void>;
}
/**
 * Starts what an enclave finds on its parent, for processes on the simulator with the same directory: at vsock port
 * 8000 of the parent a KMS with one key, at port 8001 a CONNECT door to it and to S3, at port 8002 credentials; and on loopback IMDSv2 and the same KMS.
 *
 * `environment` holds `ENCLAVEJS_SIMULATOR_DIR` and `ENCLAVEJS_SIMULATOR_ROLE_ARN` for the simulator;
 * `AWS_EC2_METADATA_SERVICE_ENDPOINT` for AWS's own clients; and for an application that takes them into its configuration
 * `ENCLAVEJS_SIMULATED_KMS_CA` and `ENCLAVEJS_SIMULATED_ACM_CA` (files), `ENCLAVEJS_SIMULATED_KMS_KEY` (an ARN) and `ENCLAVEJS_SIMULATED_KMS_ADDRESS`
 * (`127.0.0.1:PORT`). No client takes up a CA from the environment by itself.
 *
 * @throws SimulatorError `ERR_SIMULATOR_DIRECTORY`, `ERR_SIMULATOR_VSOCK_PORT`.
 *
 * @example
 * ```ts
 * import { startSimulatedAws } from '@enclavejs/simulator/aws'
 *
 * const aws = await startSimulatedAws({ role: 'enclave' })
 * console.log(aws.keyArn, aws.environment['ENCLAVEJS_SIMULATED_KMS_CA'])
 * await aws.close()
 * ```
 */
declare function startSimulatedAws(options?: SimulatedAwsOptions): Promise<SimulatedAws>;

export { startSimulatedAws };
export type { SimulatedAws, SimulatedAwsOptions };

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

// imds.d.ts

import { Duplex } from 'node:stream';
import { SimulatedConnect, SimulatedAccount, ListenAddress, ServerAddress, SimulatedCredentials } from './kms.js';

/** What goes wrong with an answer of IMDS, and of which requests. */
type ImdsFault = {
    /** Requests whose path begins so. Default: any. */
    readonly path?: string;
    /** How many requests. Default 1. */
    readonly times?: number;
} & ImdsFaultKind;
type ImdsFaultKind = {
    readonly kind: 'status';
    readonly status: number;
    readonly body?: string;
}
/** The connection is destroyed in place of an answer. */
 | {
    readonly kind: 'refuse';
}
/** No answer comes; the connection is held. */
 | {
    readonly kind: 'stall';
} | {
    readonly kind: 'slow';
    readonly delayMs: number;
}
/** Half of a JSON text. */
 | {
    readonly kind: 'malformed';
}
/** `{"Code":"Failed"}` in place of credentials. */
 | {
    readonly kind: 'failed';
}
/** A set of credentials that has expired. */
 | {
    readonly kind: 'expired';
}
/** A well-formed set that no account here knows. */
 | {
    readonly kind: 'foreign';
};

/** Options of `createSimulatedImds`. */
interface SimulatedImdsOptions {
    /** Whose credentials are handed out; a simulated KMS given the same account knows them. */
    readonly account: SimulatedAccount;
    /** The instance's role: a name, a path with a name or an ARN. */
    readonly role: string;
    /** Default `eu-west-1`. */
    readonly region?: string;
    /** Default `i-00000000000000000`. */
    readonly instanceId?: string;
    /** Default: a free port of 127.0.0.1. */
    readonly listen?: ListenAddress;
    /** How long a set of credentials lives, in milliseconds. Default 6 hours. */
    readonly lifetimeMs?: number;
    /** A new set is made when less than this is left of the last, in milliseconds. Default 10 minutes. */
    readonly rotateAheadMs?: number;
    /** The clock. Default: the system's. */
    readonly now?: () => Date;
}
/** One request as it came in. */
interface RecordedImdsRequest {
    readonly method: string;
    readonly path: string;
    /** By name in lower case. */
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly status: number | undefined;
}
/**
 * The instance metadata service, version 2 alone: a session token first, then the credentials of the
 * instance's role. Hop limits are not simulated.
 */
declare class SimulatedImds {
    #private;
    /** Dials the service, whatever host and port are asked for. */
    readonly connect: SimulatedConnect;
    private constructor();
    /** What `createSimulatedImds` is. */
    static open(options: SimulatedImdsOptions): Promise<SimulatedImds>;
    address(): ServerAddress;
    /** `http://127.0.0.1:PORT`, for `AWS_EC2_METADATA_SERVICE_ENDPOINT`; TCP only. */
    get url(): string;
    /** Serves a stream that something else accepted. */
    serve(stream: Duplex): void;
    /** The set that is given out now. */
    credentials(): SimulatedCredentials;
    /** Makes a new set now; the last one stays valid until it expires. */
    rotate(): SimulatedCredentials;
    /** Arms a fault for requests to come. */
    fault(fault: ImdsFault): void;
    clearFaults(): void;
    /** The last thousand requests, oldest first. */
    get requests(): readonly RecordedImdsRequest[];
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}
/**
 * Starts a simulated IMDS for one instance with one role. It is to be closed.
 *
 * @example
 * ```ts
 * import { createSimulatedImds } from '@enclavejs/simulator/imds'
 * import { createSimulatedAccount } from '@enclavejs/simulator/kms'
 *
 * const account = createSimulatedAccount()
 * await using imds = await createSimulatedImds({ account, role: 'enclave' })
 * const answer = await fetch(`${imds.url}/latest/meta-data/instance-id`)
 * if (answer.status !== 401) throw new Error('version 1 was answered')
 * ```
 */
declare function createSimulatedImds(options: SimulatedImdsOptions): Promise<SimulatedImds>;

export { SimulatedImds, createSimulatedImds };
export type { ImdsFault, ImdsFaultKind, RecordedImdsRequest, SimulatedImdsOptions };

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
 | 'ERR_SIMULATOR_ENVIRONMENT'
/** Another process listens at a port of the simulated parent. */
 | 'ERR_SIMULATOR_VSOCK_PORT';
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

// kms.d.ts

import { S as SimulatedAccount, L as ListenAddress, P as PolicyDocument, a as SimulatedConnect, b as ServerAddress } from './local-listener.js';
export { A as AccessKey, C as Condition, O as OneOrMany, d as PolicyStatement, e as Principal, f as SimulatedAccountOptions, c as SimulatedCredentials, g as createSimulatedAccount } from './local-listener.js';
import { Duplex } from 'node:stream';

/** What goes wrong with an answer, and of which requests. */
type KmsFault = KmsFaultScope & KmsFaultKind;
/** The requests that a fault is for: the next ones unless an operation is named. */
interface KmsFaultScope {
    /** `Decrypt` and so on; left out: any. */
    readonly operation?: string;
    /** How many requests. Default 1; Infinity until `clearFaults`. */
    readonly times?: number;
}
/** What goes wrong. */
type KmsFaultKind = 
/** 400 ThrottlingException. */
{
    readonly kind: 'throttling';
}
/** 500 KMSInternalException. */
 | {
    readonly kind: 'internal';
}
/** 503 with a body that is not JSON. */
 | {
    readonly kind: 'unavailable';
}
/** Any error; status 400 unless told. */
 | {
    readonly kind: 'error';
    readonly type: string;
    readonly message?: string;
    readonly status?: number;
}
/** The connection is destroyed in place of an answer. */
 | {
    readonly kind: 'refuse';
}
/** The connection is reset after some octets of the body; default half. */
 | {
    readonly kind: 'reset';
    readonly afterBytes?: number;
}
/** The connection is ended in good order after some octets of the body; default half. */
 | {
    readonly kind: 'truncate';
    readonly afterBytes?: number;
}
/** The answer begins late, and comes in pieces where chunkBytes is given. */
 | {
    readonly kind: 'slow';
    readonly delayMs?: number;
    readonly chunkBytes?: number;
    readonly chunkDelayMs?: number;
}
/** The answer stops in the head, or after some octets of the body, and the connection is held. */
 | {
    readonly kind: 'stall';
    readonly part?: 'head' | 'body';
    readonly afterBytes?: number;
}
/** CiphertextForRecipient changed; unless told how, one octet of its structure. */
 | {
    readonly kind: 'malformed-cms';
    readonly mutate?: (cms: Uint8Array) => Uint8Array;
}
/** A recipient identifier that is not that of the recipient. */
 | {
    readonly kind: 'wrong-rid';
}
/** One bit of the IV is flipped. */
 | {
    readonly kind: 'flipped-iv';
}
/** Sealed for another RSA key of the same size, with the recipient's identifier. */
 | {
    readonly kind: 'foreign-recipient';
}
/** An octet after CiphertextForRecipient. */
 | {
    readonly kind: 'trailing-bytes';
}
/** The secret in the open beside CiphertextForRecipient. */
 | {
    readonly kind: 'extra-plaintext';
}
/** The secret in the open in place of CiphertextForRecipient. */
 | {
    readonly kind: 'ignore-recipient';
}
/** Neither the secret nor CiphertextForRecipient. */
 | {
    readonly kind: 'missing-ciphertext';
}
/** KeyId of the answer; unless given, a key of another account. */
 | {
    readonly kind: 'wrong-key-id';
    readonly keyId?: string;
}
/** Any other change of the answer's JSON. */
 | {
    readonly kind: 'response';
    readonly change: (body: Readonly<Record<string, unknown>>) => unknown;
}
/** A body that is sent as it is, with status 200 unless told. */
 | {
    readonly kind: 'raw-body';
    readonly body: string | Uint8Array;
    readonly status?: number;
    readonly contentType?: string;
}
/** Another Date: so many milliseconds away, or this value; null leaves it out. */
 | {
    readonly kind: 'date';
    readonly skewMs: number;
} | {
    readonly kind: 'date';
    readonly value: string | null;
}
/** A body, or a header, of so many octets. */
 | {
    readonly kind: 'huge-body';
    readonly bytes: number;
} | {
    readonly kind: 'huge-headers';
    readonly bytes: number;
};

type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion';

/** Options of `createSimulatedKms`. */
interface SimulatedKmsOptions {
    /** The accounts whose access keys are known. `createKey` makes keys of the first. */
    readonly accounts: readonly SimulatedAccount[];
    /** Roots that attestation documents may end in, DER or PEM: the simulator's, or AWS's own. */
    readonly attestationRoots: readonly (Uint8Array | string)[];
    /** Default `eu-west-1`. */
    readonly region?: string;
    /** Names in the server's certificate. Default: the host names that KMS has in the region. */
    readonly hostNames?: readonly string[];
    /** Default: a free port of 127.0.0.1. */
    readonly listen?: ListenAddress;
    /** Keys, policies, grants, aliases and the CA are kept there. Default: in memory. */
    readonly directory?: string;
    /** Form of CiphertextForRecipient; `random`, the default, takes either for each answer. */
    readonly contentForm?: 'constructed' | 'primitive' | 'random';
    /** Lowest TLS version. Default `TLSv1.2`. */
    readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
    /** Highest TLS version. Default `TLSv1.3`. */
    readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
    /** How far X-Amz-Date may be from `now`, in milliseconds. Default five minutes. */
    readonly maxSkewMs?: number;
    /** Requests that `requests` keeps. Default 1000. */
    readonly recordLimit?: number;
    /** KMS's clock: signatures, ages of documents, Date. TLS has the system's. Default: the system's. */
    readonly now?: () => Date;
}
/** What `SimulatedKms.createKey` makes; every member may be left out. */
interface SimulatedKeyOptions {
    /** Default: the first account. */
    readonly accountId?: string;
    /** Default `SYMMETRIC_DEFAULT`; `RSA_2048`, `RSA_3072`, `RSA_4096`, `ECC_NIST_P256`, `ECC_NIST_P384`. */
    readonly keySpec?: string;
    /** `ENCRYPT_DECRYPT`, `SIGN_VERIFY` or `KEY_AGREEMENT`; needed unless the key is symmetric. */
    readonly keyUsage?: string;
    /** As an object or as JSON text. Default: AWS's, which leaves all to the account. */
    readonly policy?: PolicyDocument | string;
    /** `alias/…`. */
    readonly alias?: string;
    readonly description?: string;
    readonly multiRegion?: boolean;
    /** What DescribeKey says; the material is made here all the same. Default `AWS_KMS`. */
    readonly origin?: string;
}

/** One request as it came in, and how it was answered. Bodies hold what clients sent, secrets included. */
interface RecordedRequest {
    /** From X-Amz-Target; undefined where that names no operation. */
    readonly operation: string | undefined;
    /** Counts the connections from 1. */
    readonly connection: number;
    /** By name in lower case; repeated ones joined with a comma. */
    readonly headers: Readonly<Record<string, string>>;
    /** Names and values in turn, as they came. */
    readonly rawHeaders: readonly string[];
    readonly body: Uint8Array;
    readonly receivedAt: Date;
    readonly tls: {
        readonly protocol: string;
        readonly servername: string | undefined;
    };
    /** The role or user; undefined where the signature did not hold. */
    readonly principalArn: string | undefined;
    /** Undefined until it is answered. */
    readonly status: number | undefined;
    /** `__type` of the answer. */
    readonly errorType: string | undefined;
    readonly requestId: string;
}
/** What has been counted since the start. */
interface KmsCounters {
    /** Streams that were accepted. */
    readonly connections: number;
    /** TLS handshakes that were completed. */
    readonly handshakes: number;
    readonly requests: number;
    readonly operations: Readonly<Record<string, number>>;
    /** By `__type`. */
    readonly errors: Readonly<Record<string, number>>;
}

/**
 * A KMS over HTTPS on this machine, with a CA of its own. It checks signatures, attestation
 * documents and key policies as KMS does and answers in KMS's bytes. Its keys protect nothing.
 */
declare class SimulatedKms {
    #private;
    readonly region: string;
    /** The names that its certificate holds. */
    readonly hostNames: readonly string[];
    /** The CA of its TLS, in PEM: a client has to be given it, nothing else trusts it. */
    readonly ca: string;
    /** Dials the server, whatever host and port are asked for. TLS is the caller's; `roots` holds `ca`. */
    readonly connect: SimulatedConnect;
    private constructor();
    /** What `createSimulatedKms` is. */
    static open(options: SimulatedKmsOptions): Promise<SimulatedKms>;
    /** Where it listens. */
    address(): ServerAddress;
    /** Serves a stream that something else accepted: a vsock listener, a proxy. */
    serve(stream: Duplex): void;
    /** Makes a key without a request, without authorization. */
    createKey(options?: SimulatedKeyOptions): Promise<{
        readonly keyId: string;
        readonly arn: string;
    }>;
    /** ARN of the key that an id, an ARN or an alias names; undefined where there is none. */
    keyOf(keyId: string, accountId: string): string | undefined;
    /** Puts another policy on a key without a request, and without the check against lockout. */
    setKeyPolicy(keyId: string, policy: PolicyDocument | string): Promise<void>;
    /** Gives a symmetric key new material. */
    rotateKey(keyId: string): Promise<void>;
    /** A ciphertext under a symmetric key, made without a request and without authorization. */
    encrypt(keyId: string, plaintext: Uint8Array, encryptionContext?: Readonly<Record<string, string>>): Uint8Array;
    setKeyState(keyId: string, state: KeyState): Promise<void>;
    /** Arms a fault for requests to come. Several wait in the order in which they were armed. */
    fault(fault: KmsFault): void;
    clearFaults(): void;
    /** The last requests, oldest first. */
    get requests(): readonly RecordedRequest[];
    clearRequests(): void;
    get counters(): KmsCounters;
    /** Ends every connection and stops to listen. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}
/**
 * Starts a simulated KMS. It accepts the access keys of the given accounts and the attestation
 * documents that end in the given roots, and is to be closed.
 *
 * @throws SimulatorError `ERR_SIMULATOR_DIRECTORY` where `directory` cannot be used.
 *
 * @example
 * ```ts
 * import { createCertificateAuthority } from '@enclavejs/simulator'
 * import { createSimulatedAccount, createSimulatedKms } from '@enclavejs/simulator/kms'
 *
 * const authority = await createCertificateAuthority()
 * const account = createSimulatedAccount()
 * await using kms = await createSimulatedKms({
 *   accounts: [account],
 *   attestationRoots: [authority.trustAnchor],
 * })
 * const { arn } = await kms.createKey({ alias: 'alias/data' })
 * if (!arn.startsWith('arn:aws:kms:eu-west-1:123456789012:key/')) throw new Error(arn)
 * ```
 */
declare function createSimulatedKms(options: SimulatedKmsOptions): Promise<SimulatedKms>;

export { ListenAddress, PolicyDocument, ServerAddress, SimulatedAccount, SimulatedConnect, SimulatedKms, createSimulatedKms };
export type { KeyState, KmsCounters, KmsFault, KmsFaultKind, KmsFaultScope, RecordedRequest, SimulatedKeyOptions, SimulatedKmsOptions };

// local-listener.d.ts

import { Duplex } from 'node:stream';

/** A value or several of them, as IAM's JSON allows. */
type OneOrMany<T> = T | readonly T[];
/** The Condition of a statement: operators, each with keys and their values. */
type Condition = Readonly<Record<string, Readonly<Record<string, OneOrMany<string | boolean | number>>>>>;

/** One statement of a policy, with IAM's own names. */
interface PolicyStatement {
    readonly Sid?: string;
    readonly Effect: 'Allow' | 'Deny';
    readonly Principal?: '*' | Readonly<Record<string, OneOrMany<string>>>;
    readonly NotPrincipal?: '*' | Readonly<Record<string, OneOrMany<string>>>;
    readonly Action?: OneOrMany<string>;
    readonly NotAction?: OneOrMany<string>;
    readonly Resource?: OneOrMany<string>;
    readonly NotResource?: OneOrMany<string>;
    readonly Condition?: Condition;
}
/** A key policy or an identity policy, as the object that its JSON text holds. */
interface PolicyDocument {
    readonly Version?: string;
    readonly Id?: string;
    readonly Statement: OneOrMany<PolicyStatement>;
}

/** Options of `createSimulatedAccount`; every one may be left out. */
interface SimulatedAccountOptions {
    /** Twelve digits. Default `123456789012`. */
    readonly accountId?: string;
    /** Default `aws`; `aws-cn`, `aws-us-gov`… */
    readonly partition?: string;
    /** The clock that expiry is counted on. Default: the system's. */
    readonly now?: () => Date;
}
/** One set of credentials, as IMDS or STS would give it. */
interface SimulatedCredentials {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    /** Absent for a user's long-term credentials. */
    readonly sessionToken?: string;
    readonly expiration?: Date;
    /** The role or user: what `aws:PrincipalArn` holds. */
    readonly principalArn: string;
    /** The caller as errors name it: `arn:aws:sts::…:assumed-role/NAME/SESSION`, or the user. */
    readonly sessionArn: string;
}
/** Who signed a request. */
interface Principal {
    readonly accountId: string;
    readonly partition: string;
    readonly principalArn: string;
    readonly sessionArn: string;
    readonly type: 'AssumedRole' | 'User';
}
/** What a verifier of signatures finds under an access key id. */
interface AccessKey {
    readonly credentials: SimulatedCredentials;
    readonly principal: Principal;
}
/**
 * An AWS account of the simulator: it hands out credentials, which the simulated KMS given the same
 * account recognises. It lives in memory, its access keys are worth nothing anywhere else.
 */
declare class SimulatedAccount {
    #private;
    readonly accountId: string;
    readonly partition: string;
    /** Use `createSimulatedAccount`. */
    constructor(options?: SimulatedAccountOptions);
    /** `arn:aws:iam::<account>:root`. */
    get rootArn(): string;
    /**
     * Temporary credentials of a role: an access key `ASIA…` with a session token.
     *
     * @param options.role A name, a path with a name, or the ARN of a role of this account.
     * @param options.sessionName Default `i-0simulated00000`, in place of an instance.
     * @param options.lifetimeMs Default 6 hours, at most 12; zero or less gives an expired set.
     */
    issueCredentials(options: {
        readonly role: string;
        readonly sessionName?: string;
        readonly lifetimeMs?: number;
    }): SimulatedCredentials;
    /** Long-term credentials of an IAM user: an access key `AKIA…` without token and expiry. */
    issueUserCredentials(options: {
        readonly user: string;
    }): SimulatedCredentials;
    /** Forgets an access key: `UnrecognizedClientException` from then on. */
    revoke(accessKeyId: string): void;
    /** The set under an access key id, expired or not. */
    find(accessKeyId: string): AccessKey | undefined;
    /**
     * The IAM policy of a role or user. Unless set it allows `kms:*` on everything; `undefined` leaves
     * the principal without any, so that only key policies and grants that name it let it in.
     */
    setIdentityPolicy(principalArn: string, policy: PolicyDocument | undefined): void;
    /** The IAM policy that `setIdentityPolicy` set, or the one that allows everything. */
    identityPolicy(principalArn: string): PolicyDocument | undefined;
}
/**
 * An account in memory, for `createSimulatedKms` and `createSimulatedImds`.
 *
 * @example
 * ```ts
 * import { createSimulatedAccount } from '@enclavejs/simulator/kms'
 *
 * const account = createSimulatedAccount({ accountId: '111122223333' })
 * const credentials = account.issueCredentials({ role: 'enclave', lifetimeMs: 900_000 })
 * if (!credentials.accessKeyId.startsWith('ASIA')) throw new Error('a temporary set was expected')
 * ```
 */
declare function createSimulatedAccount(options?: SimulatedAccountOptions): SimulatedAccount;

/** Where a simulated service listens: loopback TCP, a free port unless told, or a Unix socket. */
type ListenAddress = {
    readonly host?: string;
    readonly port?: number;
} | {
    readonly path: string;
};
/** Where it is to be reached. */
type ServerAddress = {
    readonly host: string;
    readonly port: number;
} | {
    readonly path: string;
};
/**
 * Dials the simulated service, whatever host and port are asked for. It needs no `this`, and carries the roots of
 * the service's TLS, where it has TLS.
 */
interface SimulatedConnect {
    (host: string, port: number, options?: {
        readonly signal?: AbortSignal;
    }): Promise<Duplex>;
    /** In PEM. */
    readonly roots?: readonly string[];
}

export { SimulatedAccount as S, createSimulatedAccount as g };
export type { AccessKey as A, Condition as C, ListenAddress as L, OneOrMany as O, PolicyDocument as P, SimulatedConnect as a, ServerAddress as b, SimulatedCredentials as c, PolicyStatement as d, Principal as e, SimulatedAccountOptions as f };

// register-parent.d.ts

export { };

// register.d.ts

export { };
