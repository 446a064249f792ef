// aws-sdk.d.ts

import { KmsClientOptions } from './index.js';
export { K as KmsError, a as KmsErrorCode, b as KmsErrorDetails } from './error.js';
import 'node:stream';

/** What is used of a `KMSClient` of the AWS SDK for JavaScript v3. */
interface AwsKmsClient {
    readonly config: object;
    readonly middlewareStack: {
        add(middleware: unknown, options: unknown): void;
    };
    destroy(): void;
}
/** Options of {@link attestKmsClient}: those of `createKmsClient` that are not the SDK's own business. */
interface AttestKmsClientOptions extends Omit<KmsClientOptions, 'credentials' | 'maxAttempts' | 'now' | 'deadline' | 'connect' | 'dangerouslyUnboundKey'> {
    /** Streams to KMS. The client then speaks TLS in this process, by our rules and roots, whatever handler it had. */
    readonly connect?: KmsClientOptions['connect'];
    /**
     * Keeps the request handler that the client has, in the place of `connect`: with the trust in certificates that it has, which an
     * environment variable can change. Each call then has a key of its own. Default: refused.
     */
    readonly dangerouslyKeepRequestHandler?: boolean;
}
/**
 * Turns a `KMSClient` of the AWS SDK for JavaScript v3 into an attested one: from then on its Decrypt, GenerateDataKey,
 * GenerateDataKeyPair, GenerateRandom and DeriveSharedSecret send `Recipient`, and have the opened bytes where the SDK would
 * have the plaintext. Signing, credentials and attempts remain the SDK's.
 *
 * Every operation is held to the one key: `KeyId` is filled in (`SourceKeyId` and `DestinationKeyId` of ReEncrypt as well), another
 * key, a bare id or an alias in its place is a `TypeError`, and the key that an answer names is compared. Symmetric operations
 * want an `EncryptionContext`, which the SDK's types do not ask for; to have none say
 * `EncryptionContext: NO_ENCRYPTION_CONTEXT as never`. Else the operations that KMS cannot attest pass as they are.
 *
 * A client with `cacheMiddleware` is refused: the SDK would keep for its calls what they went with before. A call is refused
 * when the client's request handler was replaced, or when `Recipient` did not come as far as it.
 *
 * Calls may throw {@link KmsError} beside the SDK's errors: `ERR_KMS_UNATTESTED_PLAINTEXT`, `ERR_KMS_CMS`, `ERR_KMS_KEY_MISMATCH`,
 * `ERR_KMS_EVIDENCE`, `ERR_KMS_RESPONSE`, `ERR_KMS_PLAINTEXT_LENGTH`, and those of the connection.
 *
 * @returns the same client; its `destroy` ends keys and sockets
 * @throws {TypeError} naming the option, or what the client has that cannot be made safe
 * @example
 * ```ts
 * import { KMSClient } from '@aws-sdk/client-kms'
 * import { defaultConnect, defaultGetEvidence } from '@enclavejs/kms-enclave'
 * import { attestKmsClient } from '@enclavejs/kms-enclave/aws-sdk'
 *
 * const keyArn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
 * const kms = attestKmsClient(new KMSClient({ region: 'eu-west-1' }), {
 *   keyArn,
 *   connect: defaultConnect,
 *   getEvidence: defaultGetEvidence,
 * })
 * ```
 */
declare function attestKmsClient<T extends AwsKmsClient>(client: T, given: AttestKmsClientOptions): T;

export { attestKmsClient };
export type { AttestKmsClientOptions, AwsKmsClient };

// client-options.d.ts

import { Duplex } from 'node:stream';

/** Which of KMS's host names of a region to call. */
type EndpointVariant = 'standard' | 'fips' | 'dualstack' | 'fips-dualstack';

/** Which key a client is for. */
interface BoundKeyOptions {
    /**
     * The full ARN of one key, `arn:aws:kms:REGION:ACCOUNT:key/ID`, from the image or from attested configuration and never from the
     * parent. Host, signing region and account come from it; it goes into every request as `KeyId` and is compared with
     * the answer's.
     */
    readonly keyArn: string;
    /** Which of KMS's host names to call. Default `standard`, `kms.REGION.amazonaws.com` and its like in other partitions. */
    readonly endpoint?: EndpointVariant;
    /**
     * Takes an alias or a bare key id as `keyArn`, in this region. Which key answers is then up to whoever may repoint the alias, or
     * to the account of the credentials, which the parent chooses: its own key can answer, over genuine TLS, and what it
     * decrypts proves nothing. Default: refused.
     */
    readonly dangerouslyUnboundKey?: {
        readonly region: string;
        /**
         * `keyArn` is the bare id of a key of an account that is not known: Decrypt goes without `KeyId`, KMS finds the key by the
         * ciphertext, and the answer must name a key of that id in that region, of whatever account. Default false.
         */
        readonly anyAccount?: boolean;
    };
}

/**
 * Opens a byte stream to a host of the outside world: through a proxy on the parent, over vsock. Whoever carries the bytes is
 * not trusted with anything but carrying them.
 */
interface Connect {
    (host: string, port: number, options: {
        readonly signal?: AbortSignal;
    }): Promise<Duplex>;
    /**
     * PEM certificates that stand in for Amazon's roots wherever this `Connect` leads; a simulator's has its own here. The `roots`
     * of the client's options go before it.
     */
    readonly roots?: readonly string[];
}

/**
 * AWS credentials, under the names that the AWS SDKs use. They say which role calls; that an enclave calls is what the
 * attestation document says. The parent always knows them, so they must never serve as a secret.
 */
interface Credentials {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    /** Temporary credentials have one. */
    readonly sessionToken?: string;
    /** When they end. Without it they are taken as lasting. */
    readonly expiration?: Date;
}
/** What a source of credentials is told. */
interface CredentialsRequest {
    /** KMS refused the set given last: it must not come again from a cache. */
    readonly forceRefresh?: boolean;
    readonly signal?: AbortSignal;
}
/** A source of credentials. The providers of the AWS SDK for JavaScript v3 are of this form. */
type CredentialsProvider = (request?: CredentialsRequest) => Promise<Credentials>;

/** How long each step may take, in milliseconds. */
interface Deadlines {
    /** For `connect` to give a stream. Default 3000. */
    readonly connectTimeout?: number;
    /** For the TLS handshake. Default 5000. */
    readonly handshakeTimeout?: number;
    /** For one attempt: from its start to the last byte of the answer, connecting and waiting for a free socket included. Default 10000. */
    readonly requestTimeout?: number;
    /** For a whole call with all its attempts. Default 30000. */
    readonly deadline?: number;
}

/** The sizes of RSA key that a recipient may have, in bits. */
type RecipientModulusLength = 2048 | 3072 | 4096;

/** Asks the Attester for Evidence over `publicKey` (DER SubjectPublicKeyInfo). */
type GetEvidence = (input: {
    publicKey: Uint8Array;
}) => Promise<Uint8Array>;

interface RecipientSourceOptions {
    /** Asks the Attester for Evidence over a public key; `getEvidence` of `@enclavejs/nsm` is one. */
    readonly getEvidence: GetEvidence;
    /** A new key and document for each call, and the key destroyed after one answer. Default: false. */
    readonly singleUse?: boolean;
    /** For how many milliseconds a key and its document serve, from the moment its Evidence is asked for. 1 to 120000, default 60000. */
    readonly maxAgeMs?: number;
    /** For how many calls a key and its document serve. 1 to 1000000, default 1000. */
    readonly maxCalls?: number;
    /** Bits of the RSA keys. Default 2048, the only size that AWS documents; larger ones take longer to make and to open with. */
    readonly modulusLength?: RecipientModulusLength;
    /** How long `getEvidence` may take, in milliseconds. Default 10000. */
    readonly evidenceDeadlineMs?: number;
    /** For tests. Default: a clock that only runs forward (`performance.now`), which in a guest is the guest's own. */
    readonly now?: () => Date;
}

/** The oldest version of TLS that is spoken. KMS speaks both in all regions. */
type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** Options of {@link createKmsClient}. Unknown names are refused. */
interface KmsClientOptions extends BoundKeyOptions, Deadlines, Omit<RecipientSourceOptions, 'now'> {
    /** Streams to KMS, port 443. Who carries them need not be trusted: TLS begins and ends in this process. */
    readonly connect: Connect;
    /**
     * Who calls. They are asked for again five minutes before their end, and once when KMS refuses them; see
     * `createVsockCredentials` and `fromImds`.
     */
    readonly credentials: Credentials | CredentialsProvider;
    /**
     * PEM certificates in the place of Amazon's five roots. Default: those of `connect` (a simulator's has its own), else
     * Amazon's. Neither the system's roots nor the environment add any.
     */
    readonly roots?: readonly string[];
    /** Default `TLSv1.3`. */
    readonly minTlsVersion?: TlsVersion;
    /** Sockets to KMS at a time, 1 to 64. Default 3: AWS's vsock-proxy serves four, and keeps more waiting. */
    readonly maxSockets?: number;
    /** Attempts of one call where waiting can help, 1 to 10. Default 3. */
    readonly maxAttempts?: number;
    /** The clock of signatures and of credentials. Default: the system's. Certificates are always judged by the system's. */
    readonly now?: () => Date;
}

export type { BoundKeyOptions as B, CredentialsProvider as C, Deadlines as D, EndpointVariant as E, GetEvidence as G, KmsClientOptions as K, RecipientModulusLength as R, TlsVersion as T, Connect as a, Credentials as b, CredentialsRequest as c, RecipientSourceOptions as d };

// error.d.ts

/** Every code a {@link KmsError} can carry. */
type KmsErrorCode = 
/** `CiphertextForRecipient` does not have the form that KMS gives it, or does not open under this key: one error for all. */
'ERR_KMS_CMS'
/** A plaintext beside, or instead of, `CiphertextForRecipient`: whoever answered took no notice of the attestation. */
 | 'ERR_KMS_UNATTESTED_PLAINTEXT'
/** KMS refused, or failed; a `KmsServiceError` with KMS's own code in `kmsCode`. */
 | 'ERR_KMS_SERVICE'
/** The answer is not one that KMS gives to this operation: no JSON, a member missing or of the wrong form. */
 | 'ERR_KMS_RESPONSE'
/** The head of the answer has more than 16 KiB, or its body more than 64 KiB. */
 | 'ERR_KMS_RESPONSE_SIZE'
/** The answer names another key than the one that the client is bound to. */
 | 'ERR_KMS_KEY_MISMATCH'
/** What was opened does not have the length that was asked for. */
 | 'ERR_KMS_PLAINTEXT_LENGTH'
/** No stream to KMS, or one that broke: refused, reset, ended too early. */
 | 'ERR_KMS_CONNECTION'
/** The TLS handshake failed: certificate, host name, version, or no TLS at all. */
 | 'ERR_KMS_TLS'
/** A deadline passed; the message says which. */
 | 'ERR_KMS_DEADLINE'
/** No credentials, or none that may be used: the source failed, or gave malformed or expired ones. */
 | 'ERR_KMS_CREDENTIALS'
/** The client, or a source of recipient keys, was closed. */
 | 'ERR_KMS_CLOSED'
/** A package that the defaults need is not installed. */
 | 'ERR_KMS_PACKAGE'
/** The key that the answer is encrypted to was destroyed before the answer was opened; the request can be sent again. */
 | 'ERR_KMS_RECIPIENT_DESTROYED'
/** `getEvidence` failed, took too long, or gave something that cannot be Evidence. */
 | 'ERR_KMS_EVIDENCE'
/** An envelope does not have the form of one, or not of the only suite that is opened. */
 | 'ERR_KMS_ENVELOPE_FORMAT'
/** An envelope ends before its final frame. */
 | 'ERR_KMS_ENVELOPE_TRUNCATED'
/** An envelope was sealed with another context. */
 | 'ERR_KMS_ENVELOPE_CONTEXT'
/** An envelope's data key is not one, or of another KMS key. */
 | 'ERR_KMS_ENVELOPE_KEY'
/** An envelope does not commit to its data key. */
 | 'ERR_KMS_ENVELOPE_COMMITMENT'
/** An envelope's header or a frame of it is not what was sealed. */
 | 'ERR_KMS_ENVELOPE_AUTHENTICATION'
/** A key policy has more than 32 KiB. */
 | 'ERR_KMS_POLICY_SIZE'
/** A key policy is not strict JSON, or nests deeper than a policy does. */
 | 'ERR_KMS_POLICY_JSON'
/** A key policy has an object with the same key twice, of which a reader may see either. */
 | 'ERR_KMS_POLICY_DUPLICATE_KEY'
/** A key policy's `Version` is not `2012-10-17`. */
 | 'ERR_KMS_POLICY_VERSION'
/** An element of a key policy that is not understood (`NotAction`, `NotPrincipal`, …), missing, or of the wrong type. */
 | 'ERR_KMS_POLICY_ELEMENT'
/** A principal that is not understood: not the ARN of a role, a user or a root; or everyone, in an Allow. */
 | 'ERR_KMS_POLICY_PRINCIPAL'
/** An action that is not understood; or a wildcard in an Allow, which opens what does not exist yet. */
 | 'ERR_KMS_POLICY_ACTION'
/** A statement's `Resource` is neither `*` nor the key. */
 | 'ERR_KMS_POLICY_RESOURCE'
/** A condition that is not understood: its operator, its key or its value. */
 | 'ERR_KMS_POLICY_CONDITION'
/** Plaintext can be had with PCRs that are not those of an expected image, or without a document. */
 | 'ERR_KMS_POLICY_PCR'
/** An image is pinned by its signer alone, and debug mode is not excluded. */
 | 'ERR_KMS_POLICY_DEBUG_MODE'
/** An action that leads around the attestation is allowed: CreateGrant, ReEncryptFrom, ReplicateKey, … */
 | 'ERR_KMS_POLICY_ESCAPE'
/** The policy can be replaced, and `locked` is expected. */
 | 'ERR_KMS_POLICY_NOT_LOCKED'
/** A principal may do what was not expected of it. */
 | 'ERR_KMS_POLICY_STRANGER'
/** A grant that allows more than what yields nothing secret, or allows a stranger. */
 | 'ERR_KMS_POLICY_GRANT'
/** The list of grants is not complete. */
 | 'ERR_KMS_POLICY_GRANTS_TRUNCATED'
/** DescribeKey or ListGrants speaks of another key. */
 | 'ERR_KMS_POLICY_KEY'
/** The key is AWS's own, or of a usage that cannot be attested. */
 | 'ERR_KMS_POLICY_KEY_KIND'
/** The key material does not come from where it was expected to come from. */
 | 'ERR_KMS_POLICY_ORIGIN'
/** A multi-Region key: each replica has a policy of its own. */
 | 'ERR_KMS_POLICY_MULTI_REGION'
/** What is said to be an answer of DescribeKey or ListGrants does not have its form. */
 | 'ERR_KMS_POLICY_ANSWER';
/** What a {@link KmsError} may carry beside its code. */
interface KmsErrorDetails {
    readonly cause?: unknown;
}
/** Everything that goes wrong in this package, except the caller's own mistakes (`TypeError`, `RangeError`). */
declare class KmsError extends Error {
    readonly code: KmsErrorCode;
    constructor(code: KmsErrorCode, message: string, details?: KmsErrorDetails);
}

export { KmsError as K };
export type { KmsErrorCode as a, KmsErrorDetails as b };

// index.d.ts

import { D as Deadlines, K as KmsClientOptions, C as CredentialsProvider, a as Connect, G as GetEvidence } from './client-options.js';
export { B as BoundKeyOptions, b as Credentials, c as CredentialsRequest, E as EndpointVariant, R as RecipientModulusLength, d as RecipientSourceOptions, T as TlsVersion } from './client-options.js';
import { Server } from 'node:net';
import { Duplex } from 'node:stream';
import { K as KmsError } from './error.js';
export { a as KmsErrorCode, b as KmsErrorDetails } from './error.js';
import { ExpectedKeyPolicy, VerifiedKeyPolicy } from './policy.js';

/** Options of {@link openAwsEndpoint}. */
interface AwsEndpointOptions extends Deadlines, Pick<KmsClientOptions, 'connect' | 'roots' | 'minTlsVersion' | 'maxSockets' | 'maxAttempts' | 'now' | 'credentials'> {
    /** The host to call: the name that is dialed, in SNI, and in the certificate. */
    readonly host: string;
    readonly region: string;
    /** The service's name in a credential scope: `s3`, `ec2`, `acm`. */
    readonly service: string;
}
/** One request to an {@link AwsEndpoint}. */
interface AwsRequest {
    readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
    /** As it goes into the request line: encoded, without a query. */
    readonly path: string;
    /** With lower-case names, `host` left out. */
    readonly headers: Readonly<Record<string, string>>;
    /** At most 1 MiB. Default: none. */
    readonly body?: Uint8Array;
    readonly signal?: AbortSignal;
}
/** An answer, whatever its status; at most 64 KiB. */
interface AwsResponse {
    readonly status: number;
    /** With lower-case names. */
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly body: Uint8Array;
}
/** Another service of AWS than KMS, from inside an enclave. Comes from {@link openAwsEndpoint}. */
interface AwsEndpoint {
    readonly host: string;
    /**
     * Signs and sends a request, again where waiting, other credentials or another clock can help: it must not matter whether it
     * arrives twice.
     *
     * @throws {KmsError} `ERR_KMS_CONNECTION`, `ERR_KMS_TLS`, `ERR_KMS_DEADLINE`, `ERR_KMS_RESPONSE`, `ERR_KMS_RESPONSE_SIZE`,
     * `ERR_KMS_CREDENTIALS`, `ERR_KMS_CLOSED`
     */
    request(request: AwsRequest): Promise<AwsResponse>;
    close(): Promise<void>;
}
/**
 * What the KMS client has below its operations, for another service: Signature Version 4, TLS that ends here below Amazon's roots
 * over a `Connect`, bounds and deadlines. `@enclavejs/acm-enclave` reads S3 with it.
 *
 * @throws {TypeError} {@link RangeError} naming the option; nothing is dialed yet
 * @example
 * ```ts
 * import { defaultConnect, defaultCredentials, openAwsEndpoint } from '@enclavejs/kms-enclave'
 *
 * const s3 = openAwsEndpoint({
 *   host: 'my-bucket.s3.eu-west-1.amazonaws.com',
 *   region: 'eu-west-1',
 *   service: 's3',
 *   connect: defaultConnect,
 *   credentials: defaultCredentials(),
 * })
 * await s3.close()
 * ```
 */
declare function openAwsEndpoint(given: AwsEndpointOptions): AwsEndpoint;

/**
 * What a ciphertext is for, as pairs of text. It is not secret (CloudTrail shows it) and must be the same for encryption and
 * decryption. It is what keeps one ciphertext from being put in the place of another: name the purpose, the object and its
 * version, at least one of them from the enclave's own state.
 */
type EncryptionContext = Readonly<Record<string, string>>;
/** In the place of an encryption context: none, and said so. Any ciphertext under the key then fits anywhere. */
declare const NO_ENCRYPTION_CONTEXT: unique symbol;

/** Members that most operations take, as in the API. */
interface GrantInput {
    /** At most ten. */
    readonly GrantTokens?: readonly string[];
    /** Only asks whether the call would be allowed: it then fails with `DryRunOperationException`. */
    readonly DryRun?: boolean;
}
/** The context of a symmetric key: given, or declined by name. */
interface SymmetricInput {
    readonly EncryptionContext: EncryptionContext | typeof NO_ENCRYPTION_CONTEXT;
}
type AsymmetricEncryptionAlgorithm = 'RSAES_OAEP_SHA_1' | 'RSAES_OAEP_SHA_256' | 'SM2PKE';
/** A key pair's algorithms know no encryption context. */
interface AsymmetricInput {
    readonly EncryptionAlgorithm: AsymmetricEncryptionAlgorithm;
    readonly EncryptionContext?: never;
}
interface SymmetricAlgorithm extends SymmetricInput {
    readonly EncryptionAlgorithm?: 'SYMMETRIC_DEFAULT';
}
type DecryptInput = GrantInput & {
    /** 1 to 6144 bytes. */
    readonly CiphertextBlob: Uint8Array;
} & (SymmetricAlgorithm | AsymmetricInput);
type EncryptInput = GrantInput & {
    /** 1 to 4096 bytes. */
    readonly Plaintext: Uint8Array;
} & (SymmetricAlgorithm | AsymmetricInput);
type GenerateDataKeyInput = GrantInput & SymmetricInput & ({
    readonly KeySpec: 'AES_256' | 'AES_128';
    readonly NumberOfBytes?: never;
} | {
    /** 1 to 1024. */
    readonly NumberOfBytes: number;
    readonly KeySpec?: never;
});
type DataKeyPairSpec = 'RSA_2048' | 'RSA_3072' | 'RSA_4096' | 'ECC_NIST_P256' | 'ECC_NIST_P384' | 'ECC_NIST_P521' | 'ECC_SECG_P256K1' | 'SM2' | 'ECC_NIST_EDWARDS25519';
type GenerateDataKeyPairInput = GrantInput & SymmetricInput & {
    readonly KeyPairSpec: DataKeyPairSpec;
};
interface GenerateRandomInput {
    /** 1 to 1024. */
    readonly NumberOfBytes: number;
}
interface DeriveSharedSecretInput extends GrantInput {
    /** `ECDH`, the only one there is. */
    readonly KeyAgreementAlgorithm?: 'ECDH';
    /** The other side's public key, DER SubjectPublicKeyInfo, at most 8192 bytes. */
    readonly PublicKey: Uint8Array;
}
/** What every call takes beside its input. */
interface CallOptions {
    /** Ends the call; it is then rejected with the signal's reason. */
    readonly signal?: AbortSignal;
}

/** Members that answers about a key have. */
interface KeyOutput {
    /** The ARN of the key, which is the one that the client is bound to. */
    readonly KeyId: string;
    /** Which material of the key was used, 64 hex digits. */
    readonly KeyMaterialId?: string;
}
interface DecryptOutput extends KeyOutput {
    /** 1 to 4096 bytes, opened in this process. Overwrite it after use. */
    readonly Plaintext: Uint8Array;
    readonly EncryptionAlgorithm: string;
}
interface EncryptOutput {
    readonly KeyId: string;
    readonly CiphertextBlob: Uint8Array;
    readonly EncryptionAlgorithm: string;
}
interface GenerateDataKeyOutput extends KeyOutput {
    /** The data key, opened in this process, of the length asked for. Overwrite it after use. */
    readonly Plaintext: Uint8Array;
    /** The same under the KMS key, to be kept. */
    readonly CiphertextBlob: Uint8Array;
}
interface GenerateDataKeyPairOutput extends KeyOutput {
    /** DER PKCS #8, opened in this process. Overwrite it after use. */
    readonly PrivateKeyPlaintext: Uint8Array;
    readonly PrivateKeyCiphertextBlob: Uint8Array;
    /** DER SubjectPublicKeyInfo. */
    readonly PublicKey: Uint8Array;
    readonly KeyPairSpec: string;
}
interface GenerateRandomOutput {
    /** As many bytes as were asked for, opened in this process. */
    readonly Plaintext: Uint8Array;
}
interface DeriveSharedSecretOutput {
    readonly KeyId: string;
    /** The raw secret: the x coordinate, 32 bytes for P-256. Overwrite it after use. */
    readonly SharedSecret: Uint8Array;
    readonly KeyAgreementAlgorithm: string;
    readonly KeyOrigin?: string;
}
interface GetKeyPolicyOutput {
    /** The policy, JSON. */
    readonly Policy: string;
    readonly PolicyName?: string;
}
/** A grant, members as in the API, dates in seconds since 1970 as they come. */
interface Grant {
    readonly GrantId?: string;
    readonly KeyId?: string;
    readonly Name?: string;
    readonly GranteePrincipal?: string;
    readonly RetiringPrincipal?: string;
    readonly IssuingAccount?: string;
    readonly Operations?: readonly string[];
    readonly Constraints?: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly CreationDate?: number;
    readonly [member: string]: unknown;
}
interface ListGrantsOutput {
    /** All of them, of all pages. */
    readonly Grants: readonly Grant[];
    /** So that it is what `verifyKeyPolicy` takes. */
    readonly Truncated: false;
}
interface GetPublicKeyOutput {
    readonly KeyId: string;
    /** DER SubjectPublicKeyInfo. */
    readonly PublicKey: Uint8Array;
    readonly KeySpec: string;
    readonly KeyUsage: string;
    readonly EncryptionAlgorithms?: readonly string[];
    readonly SigningAlgorithms?: readonly string[];
    readonly KeyAgreementAlgorithms?: readonly string[];
}
type MetadataText = 'KeySpec' | 'KeyUsage' | 'KeyState' | 'KeyManager' | 'Origin' | 'AWSAccountId';
/** What KMS says about a key, members as in the API, dates in seconds since 1970 as they come. */
interface KeyMetadata extends Readonly<Partial<Record<MetadataText, string>>> {
    readonly Arn: string;
    readonly KeyId: string;
    readonly Enabled?: boolean;
    readonly MultiRegion?: boolean;
    readonly [member: string]: unknown;
}
interface DescribeKeyOutput {
    readonly KeyMetadata: KeyMetadata;
}

/**
 * KMS for one key, from inside an enclave. Comes from {@link createKmsClient}.
 *
 * Each call may throw: {@link KmsServiceError} where KMS refuses (`ERR_KMS_SERVICE`); `ERR_KMS_CONNECTION`, `ERR_KMS_TLS`,
 * `ERR_KMS_DEADLINE`, `ERR_KMS_RESPONSE`, `ERR_KMS_RESPONSE_SIZE`, `ERR_KMS_KEY_MISMATCH`, `ERR_KMS_CREDENTIALS` and
 * `ERR_KMS_CLOSED`. The attested ones further `ERR_KMS_EVIDENCE`, `ERR_KMS_UNATTESTED_PLAINTEXT`, `ERR_KMS_CMS` and
 * `ERR_KMS_PLAINTEXT_LENGTH`. Arguments out of bounds throw `TypeError` or `RangeError` before anything is sent; what a call
 * sends is copied before it returns its promise.
 */
declare class KmsClient implements AsyncDisposable {
    #private;
    private constructor();
    /** For {@link createKmsClient}. */
    static open(options: KmsClientOptions): KmsClient;
    /** What the client was bound to: the ARN of the key. */
    get keyArn(): string;
    /** The host that is called. */
    get host(): string;
    /**
     * Decrypts, attested: the plaintext leaves KMS encrypted to a key of this process.
     *
     * That a ciphertext decrypts says nothing about who made it: whoever may call Encrypt can. What it is for is what the
     * encryption context says.
     */
    decrypt(input: DecryptInput, options?: CallOptions): Promise<DecryptOutput>;
    /** A new data key, attested: in the clear for this process alone, and encrypted under the KMS key, to be kept. */
    generateDataKey(input: GenerateDataKeyInput, options?: CallOptions): Promise<GenerateDataKeyOutput>;
    /** A new key pair, attested: the private key in the clear for this process alone, and encrypted under the KMS key. */
    generateDataKeyPair(input: GenerateDataKeyPairInput, options?: CallOptions): Promise<GenerateDataKeyPairOutput>;
    /**
     * Random bytes of KMS, attested. Mix them with the enclave's own (`node:crypto`, the NSM) and never use them alone: they
     * are as good as the TLS connection and KMS.
     */
    generateRandom(input: GenerateRandomInput, options?: CallOptions): Promise<GenerateRandomOutput>;
    /** The raw ECDH secret of the KMS key and another's public key, attested. Put it through a KDF. */
    deriveSharedSecret(input: DeriveSharedSecretInput, options?: CallOptions): Promise<DeriveSharedSecretOutput>;
    /** Encrypts. KMS cannot attest this operation: whoever has `kms:Encrypt` can do the same. */
    encrypt(input: EncryptInput, options?: CallOptions): Promise<EncryptOutput>;
    /** The key's policy, as `verifyKeyPolicy` of `@enclavejs/kms-enclave/policy` takes it. */
    getKeyPolicy(options?: CallOptions): Promise<GetKeyPolicyOutput>;
    /** All grants of the key, of all pages. */
    listGrants(options?: CallOptions): Promise<ListGrantsOutput>;
    /** The public key of a key pair in KMS. */
    getPublicKey(options?: CallOptions): Promise<GetPublicKeyOutput>;
    /** What KMS says about the key. */
    describeKey(options?: CallOptions): Promise<DescribeKeyOutput>;
    /** Destroys the recipient keys and closes all sockets. Calls under way are refused with `ERR_KMS_CLOSED`. May be called twice. */
    close(): Promise<void>;
    /** {@link KmsClient.close}, for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
}
/**
 * Makes a client for one key.
 *
 * @throws {TypeError} {@link RangeError} naming the option; nothing is dialed and no Evidence asked for before the first call
 */
declare function createKmsClient(options: KmsClientOptions): KmsClient;

/** Options of {@link cachedCredentials}. */
interface CachedCredentialsOptions {
    /** The clock by which credentials expire. Default: the system's. */
    readonly now?: () => Date;
    /** Milliseconds that the source may take. Default 5000. */
    readonly timeout?: number;
}
/**
 * Keeps what a source gave. A new set is asked for from five minutes before the end of the last, behind the calls that go on
 * with the last one; as long as the source fails, the last good set serves until it really ends. However many call at a
 * time, the source is asked once. What the source gives is checked ({@link readCredentials}) and copied.
 *
 * @throws {KmsError} `ERR_KMS_CREDENTIALS` from the provider that this returns
 */
declare function cachedCredentials(provider: CredentialsProvider, options?: CachedCredentialsOptions): CredentialsProvider;

/** Options of {@link fromImds}. */
interface ImdsOptions {
    /**
     * Streams to 169.254.169.254, port 80. Default: TCP, as on the parent. In the enclave, a `Connect` through the parent's proxy,
     * which must allow that address.
     */
    readonly connect?: Connect;
    /** The role of the instance. Default: the one that IMDS names. */
    readonly role?: string;
    /** Milliseconds for all three requests together. Default 4000. */
    readonly timeout?: number;
    /** The clock by which credentials expire. Default: the system's. */
    readonly now?: () => Date;
}
/**
 * The credentials of the instance's role, by the Instance Metadata Service, version 2 alone. The service speaks plain
 * HTTP, so nothing authenticates what it says: its answers are checked for their form and bounded in size.
 *
 * @throws {KmsError} `ERR_KMS_CREDENTIALS` from the provider that this returns
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 */
declare function fromImds(options?: ImdsOptions): CredentialsProvider;

type Environment = Readonly<Record<string, string | undefined>>;

/** Options of {@link ordinaryCredentials}. */
interface OrdinaryCredentialsOptions {
    /** Default `process.env`. */
    readonly environment?: Environment;
    /** The profile of the shared file. Default `AWS_PROFILE`, else `default`. */
    readonly profile?: string;
    /** How IMDS is asked when there is nothing before it. */
    readonly imds?: ImdsOptions;
    /** The clock by which credentials expire. Default: the system's. */
    readonly now?: () => Date;
}
/**
 * What AWS's tools look through on the parent, the part of it that needs no other service: the environment (`AWS_ACCESS_KEY_ID`…),
 * keys in the shared file (`~/.aws/credentials`), the endpoint of a container (`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or
 * `…_FULL_URI`, which must be `http:` at an address of ECS, of EKS or of this machine, with `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`
 * or `…_TOKEN`), IMDSv2 (at `AWS_EC2_METADATA_SERVICE_ENDPOINT` where that is set).
 * The first that is configured decides, even if it fails. For SSO, web identity or `credential_process` give
 * `serveCredentials` a provider of the AWS SDK.
 *
 * @throws {KmsError} `ERR_KMS_CREDENTIALS` from the provider that this returns
 */
declare function ordinaryCredentials(options?: OrdinaryCredentialsOptions): CredentialsProvider;

/** Options of {@link serveCredentials}. */
interface ServeCredentialsOptions {
    /** Connections at a time, 1 to 1024. Default 64; more are closed at once. */
    readonly maxConnections?: number;
    /** Milliseconds that a connection may last, from its beginning to its end. Default 5000. */
    readonly timeout?: number;
    /** Told of every answer. `error` is what the provider threw: it is not sent to the enclave. What it throws itself is ignored. */
    readonly onServed?: (event: CredentialsServed) => void;
    /** Default: the system's clock. */
    readonly now?: () => Date;
}
/** One answer, without anything of it. */
interface CredentialsServed {
    readonly outcome: 'served' | 'unavailable' | 'malformed';
    /** When the set that was given ends. */
    readonly expiration?: Date;
    readonly error?: unknown;
}
/**
 * Serves credentials to an enclave, for `createVsockCredentials`: the parent's side. Takes the connections of a server that
 * listens wherever the caller let it: on vsock, `listenVsock(server, { port: CREDENTIALS_PORT, allowedCids: [16] })`.
 * Whoever can connect gets the credentials, so admit the enclave's CID alone.
 *
 * What `provider` gives is kept and renewed five minutes before its end; while it fails, the last good set is given until it ends. The
 * server keeps running whatever a connection does; closing it is the caller's.
 */
declare function serveCredentials<T extends Server>(server: T, provider: CredentialsProvider, options?: ServeCredentialsOptions): T;

/** The vsock port that credentials are served on, unless told otherwise. */
declare const CREDENTIALS_PORT = 8002;
/** Options of {@link createVsockCredentials}. */
interface VsockCredentialsOptions {
    /** Opens a stream to whoever serves credentials on the parent: `enclavejs credentials serve`, or `serveCredentials`. */
    readonly connect: (options: {
        readonly signal: AbortSignal;
    }) => Promise<Duplex>;
    /** Milliseconds for the whole exchange, connecting included. Default 4000. */
    readonly timeout?: number;
    /** The clock by which credentials expire. Default: the system's. */
    readonly now?: () => Date;
}
/**
 * Credentials from the parent, asked for over a stream. A client keeps them and asks again before they end.
 *
 * On the wire is one line of JSON each way, then the stream ends. The question is
 * `{"enclavejs":"credentials","version":1,"refresh":false}`; `refresh` is true when KMS refused the set given last. The answer
 * is `{"version":1,"credentials":{"accessKeyId":…,"secretAccessKey":…,"sessionToken":…,"expiration":"2026-01-01T00:00:00Z"}}`, or
 * `{"version":1,"error":"unavailable"}`.
 *
 * The parent can answer what it likes: members are checked for their form, all else is left behind, and an answer has at
 * most 16384 bytes. Foreign credentials make KMS refuse, and can make no other key answer, since the client is bound to an ARN.
 *
 * @throws {KmsError} `ERR_KMS_CREDENTIALS` from the provider that this returns
 */
declare function createVsockCredentials(options: VsockCredentialsOptions): CredentialsProvider;

/** What an attestation document for KMS says in `user_data`: what for it was made. */
declare const RECIPIENT_PURPOSE = "enclavejs:kms-recipient:v1";
/** Options of {@link createEnclaveKmsClient}: those of `createKmsClient`, the first three with defaults. */
interface EnclaveKmsClientOptions extends Omit<KmsClientOptions, 'connect' | 'credentials' | 'getEvidence'> {
    /** Default: the parent's vsock port 8000, where AWS's vsock-proxy or `enclavejs proxy` passes on to KMS. */
    readonly connect?: KmsClientOptions['connect'];
    /** Default: the parent's vsock port 8002, where `enclavejs credentials serve` listens. */
    readonly credentials?: KmsClientOptions['credentials'];
    /** Default: the NSM of this enclave. */
    readonly getEvidence?: GetEvidence;
}
/**
 * A client for one key with everything that an enclave has: Evidence from `/dev/nsm` (`@enclavejs/nsm`), streams and credentials
 * from the parent over vsock (`@enclavejs/vsock`). Both packages are loaded when they are first needed.
 *
 * @throws {KmsError} `ERR_KMS_PACKAGE` from the first call, when one of the packages is not installed
 */
declare function createEnclaveKmsClient(options: EnclaveKmsClientOptions): KmsClient;
/** Evidence of the NSM over a public key, with {@link RECIPIENT_PURPOSE} as `user_data`. */
declare const defaultGetEvidence: GetEvidence;
/** A stream to the parent's vsock port 8000, whatever host is asked for: what listens there passes on to one host. */
declare const defaultConnect: Connect;
/** Credentials from the parent's vsock port 8002. */
declare function defaultCredentials(): CredentialsProvider;

/** Decrypts a data key: `decrypt` of a client, attested. `Plaintext` is overwritten with zeros after use. */
type DecryptDataKey = (input: {
    readonly CiphertextBlob: Uint8Array;
    readonly EncryptionContext: EncryptionContext;
}) => Promise<{
    readonly Plaintext: Uint8Array;
    /** The full ARN of the key that decrypted. */
    readonly KeyId: string;
}>;
/** What both forms of opening take. */
interface OpenOptions {
    readonly decrypt: DecryptDataKey;
    /** Exactly the pairs that the data was sealed with, from what the enclave knows: not from the envelope, not from the parent. */
    readonly context: EncryptionContext;
    /**
     * The full ARN of the KMS key that must have wrapped the data key. Needed only where an envelope has several of KMS's, as the AWS
     * Encryption SDKs can make; otherwise `decrypt` answers for the key.
     */
    readonly keyId?: string;
}
interface OpenEnvelopeOptions extends OpenOptions {
    readonly envelope: Uint8Array;
}
interface OpenEnvelopeStreamOptions extends OpenOptions {
    /** Pieces of any size. */
    readonly envelope: AsyncIterable<Uint8Array>;
}
/**
 * Opens what {@link sealedEnvelope} made, or an AWS Encryption SDK with one or more KMS keys, format version 2, suite 0x0478. Checks in this
 * order: form, context, data key from KMS, commitment to it, header, every frame, the end. Only then is there a plaintext.
 *
 * Proven is that someone who could use the KMS key sealed exactly this under exactly this context. Who that was, and that nothing
 * newer exists, is not: let the key policy allow `kms:GenerateDataKey` and `kms:Encrypt` to the enclave alone, and put a
 * version that the enclave knows otherwise into the context.
 *
 * Throws {@link KmsError}: `ERR_KMS_ENVELOPE_FORMAT`, `ERR_KMS_ENVELOPE_TRUNCATED`, `ERR_KMS_ENVELOPE_CONTEXT`,
 * `ERR_KMS_ENVELOPE_KEY`, `ERR_KMS_ENVELOPE_COMMITMENT`, `ERR_KMS_ENVELOPE_AUTHENTICATION`, and what `decrypt` throws.
 */
declare function openEnvelope(options: OpenEnvelopeOptions): Promise<Uint8Array>;
/**
 * The same for data that is too large to hold: gives each frame when it is authentic and in its place. An envelope that was cut shows
 * at its end, as `ERR_KMS_ENVELOPE_TRUNCATED`: what came before is genuine and not all. Do nothing that cannot be undone
 * before the last frame has come. Ending the iteration early ends that of `envelope` too.
 */
declare function openEnvelopeStream(options: OpenEnvelopeStreamOptions): AsyncGenerator<Uint8Array, void, void>;

/** Makes a data key: `generateDataKey` of a client, attested. `Plaintext` is overwritten with zeros after use. */
type GenerateDataKey = (input: {
    readonly KeySpec: 'AES_256';
    readonly EncryptionContext: EncryptionContext;
}) => Promise<{
    /** 32 bytes. */
    readonly Plaintext: Uint8Array;
    readonly CiphertextBlob: Uint8Array;
    /** The key's full ARN. */
    readonly KeyId: string;
}>;

/** What both forms of sealing take. */
interface SealOptions {
    readonly generateDataKey: GenerateDataKey;
    /**
     * What the data is, whose, and which version, at least one pair. Opening demands exactly the same pairs, so a blob that the
     * parent moved to another place, or an older one that it brought back, does not open. Not secret.
     */
    readonly context: EncryptionContext;
    /** Bytes in a frame, 1 to 1048576. Default 65536. */
    readonly frameLength?: number;
}
interface SealedEnvelopeOptions extends SealOptions {
    readonly plaintext: Uint8Array;
}
interface SealedEnvelopeStreamOptions extends SealOptions {
    /** Pieces of any size. */
    readonly plaintext: AsyncIterable<Uint8Array>;
}
/**
 * Seals data under a fresh data key of KMS: AES-256-GCM in frames, with a commitment to the key, and `context` bound into both the
 * data key (KMS's encryption context) and the envelope. The result is a message of the AWS Encryption SDK (format version
 * 2, suite 0x0478), which its implementations open when given the same KMS key. A copy of `plaintext` is made, and overwritten.
 *
 * Throws {@link KmsError} `ERR_KMS_ENVELOPE_KEY` when `generateDataKey` gives no usable key, and what it throws itself.
 *
 * @example
 * ```ts
 * import { openEnvelope, sealedEnvelope, type KmsClient } from '@enclavejs/kms-enclave'
 *
 * declare const kms: KmsClient
 * const context = { purpose: 'wallet seed', user: '4711', version: '8' }
 * const plaintext = new TextEncoder().encode('correct horse battery staple')
 * const envelope = await sealedEnvelope({
 *   generateDataKey: (input) => kms.generateDataKey(input),
 *   context,
 *   plaintext,
 * })
 * // The parent keeps the envelope. That version 8 is the newest is what the enclave must know from elsewhere.
 * const seed = await openEnvelope({ decrypt: (input) => kms.decrypt(input), context, envelope })
 * ```
 */
declare function sealedEnvelope(options: SealedEnvelopeOptions): Promise<Uint8Array>;
/**
 * The same for data that is too large to hold: gives the header, then the frames of each piece as it comes. No more than one piece and
 * one frame are held. The data key is asked for when the first result is.
 *
 * @example
 * ```ts
 * import { createReadStream, createWriteStream } from 'node:fs'
 * import { pipeline } from 'node:stream/promises'
 * import { sealedEnvelopeStream, type KmsClient } from '@enclavejs/kms-enclave'
 *
 * declare const kms: KmsClient
 * const sealed = sealedEnvelopeStream({
 *   generateDataKey: (input) => kms.generateDataKey(input),
 *   context: { purpose: 'backup', day: '2026-11-21' },
 *   plaintext: createReadStream('backup.tar'),
 * })
 * await pipeline(sealed, createWriteStream('backup.sealed'))
 * ```
 */
declare function sealedEnvelopeStream(options: SealedEnvelopeStreamOptions): AsyncGenerator<Uint8Array, void, void>;

/** A message on the diagnostics channel `enclavejs:kms:request`, after each attempt. Never holds payload. */
interface KmsRequestEvent {
    /** The API operation: `Decrypt`. */
    readonly operation: string;
    readonly host: string;
    /** 1 for the first. */
    readonly attempt: number;
    readonly requestBytes: number;
    /** Absent, as the next three, when there was no answer. */
    readonly responseBytes?: number;
    readonly status?: number;
    readonly requestId?: string;
    /** KMS's name of the error, or our code. Absent when the attempt succeeded. */
    readonly error?: string;
    /** Milliseconds of this attempt, credentials, signing and waiting for a socket included. */
    readonly duration: number;
}

/** What KMS said. */
interface KmsServiceErrorDetails {
    readonly operation: string;
    readonly kmsCode: string;
    readonly kmsMessage: string;
    readonly status: number;
    readonly requestId: string | undefined;
}
/**
 * KMS refused a request, or failed. Always `ERR_KMS_SERVICE`; what KMS calls it is in `kmsCode`.
 *
 * @example
 * ```ts
 * import { KmsServiceError } from '@enclavejs/kms-enclave'
 *
 * function mayTryAgainLater(error: unknown): boolean {
 *   return error instanceof KmsServiceError && error.kmsCode === 'ThrottlingException'
 * }
 * ```
 */
declare class KmsServiceError extends KmsError {
    /** The API operation: `Decrypt`. */
    readonly operation: string;
    /** KMS's name of the error, `AccessDeniedException`; `Unknown` where the answer had none. */
    readonly kmsCode: string;
    /** KMS's explanation, at most 1024 characters; empty where there was none. It may name principals and keys. */
    readonly kmsMessage: string;
    /** The HTTP status. */
    readonly status: number;
    /** `x-amzn-RequestId`, by which AWS finds the request. */
    readonly requestId: string | undefined;
    constructor({ operation, kmsCode, kmsMessage, status, requestId }: KmsServiceErrorDetails);
}

/**
 * The five roots that Amazon Trust Services asks every trust store to hold (amazontrust.com/repository), as PEM: Amazon Root
 * CA 1 to 4 and Starfield Services Root Certificate Authority - G2. All endpoints of KMS in the partitions `aws`,
 * `aws-us-gov` and `aws-eusc` have certificates below them. They are part of the image, and so of its PCRs; neither the
 * system's roots nor environment variables (`NODE_EXTRA_CA_CERTS`, `SSL_CERT_FILE`) add to them.
 */
declare const AMAZON_ROOTS: readonly string[];

/** What the parent is asked to sign and send. */
interface UnsafeParentRequest {
    readonly operation: 'Decrypt' | 'DeriveSharedSecret';
    /** The JSON of the request, `Recipient` included, for `POST /` of the region's KMS. */
    readonly body: Uint8Array;
}
/** Options of {@link createUnsafeParentClient}. Unknown names are refused. */
interface UnsafeParentClientOptions {
    /** The full ARN of the key. Here it binds nothing: the parent can put any key, and any answer, in its place. */
    readonly keyArn: string;
    readonly getEvidence: GetEvidence;
    /** Has the parent call KMS, and gives the JSON of the answer as the parent tells it. */
    readonly unsafeParentTransport: (request: UnsafeParentRequest) => Promise<Uint8Array>;
    /** Milliseconds that the parent may take. Default 10000. */
    readonly requestTimeout?: number;
}
/** Comes from {@link createUnsafeParentClient}. */
interface UnsafeParentClient extends Disposable {
    /** What the parent says that the ciphertext decrypts to. */
    decrypt(input: DecryptInput): Promise<DecryptOutput>;
    /** What the parent says that the shared secret is. */
    deriveSharedSecret(input: DeriveSharedSecretInput): Promise<DeriveSharedSecretOutput>;
    close(): void;
}
/**
 * **Unsafe.** The parent calls KMS on the enclave's behalf, for those who cannot give an enclave a connection. Use
 * `createKmsClient` wherever bytes can be carried.
 *
 * Nothing authenticates the answer. The parent reads the public key out of the document, so it can seal anything to it: what these two
 * calls give is **chosen by the parent**, or is what KMS gave, and there is no telling which. Confidentiality against the
 * parent holds for what KMS really sent; integrity does not hold at all. AES-CBC lets the parent change bits besides.
 *
 * The only sound use is to open, with an AEAD, data that the enclave has committed to before (a digest or a key commitment that
 * is part of the image or of attested state). That an AEAD opens is no proof by itself: the parent can supply its own key and a
 * ciphertext that fits. GenerateDataKey, GenerateDataKeyPair and GenerateRandom do not exist here: the parent would know the
 * key. Each call has a key of its own that is destroyed after one answer, so that the parent cannot use this process as a
 * padding oracle.
 *
 * @throws {TypeError} naming the option
 */
declare function createUnsafeParentClient(options: UnsafeParentClientOptions): UnsafeParentClient;

/** What the policy of the client's own key must amount to. */
type ExpectedOwnKeyPolicy = Omit<ExpectedKeyPolicy, 'keyArn'>;
/**
 * Asks KMS for the policy, the grants and the description of the client's key, over the client's own TLS, and verifies them with
 * `verifyKeyPolicy` of `@enclavejs/kms-enclave/policy`. For the start of an application, before it entrusts anything to the key.
 *
 * What it says was true when the first question was asked; with `locked` it stays true.
 *
 * @throws {KmsError} what the three calls throw, and `ERR_KMS_POLICY_…` of `verifyKeyPolicy`
 * @example
 * ```ts
 * import { verifyKeyPolicyOf, type KmsClient } from '@enclavejs/kms-enclave'
 *
 * declare const kms: KmsClient
 * const { at, access } = await verifyKeyPolicyOf(kms, {
 *   images: { pcrs: { PCR0: 'a0'.repeat(48), PCR1: 'a1'.repeat(48), PCR2: 'a2'.repeat(48) } },
 *   enclaveRoles: ['arn:aws:iam::111122223333:role/enclave'],
 *   administrators: ['arn:aws:iam::111122223333:root'],
 *   locked: true,
 * })
 * console.log(at, access)
 * ```
 */
declare function verifyKeyPolicyOf(client: KmsClient, expected: ExpectedOwnKeyPolicy, options?: CallOptions): Promise<VerifiedKeyPolicy>;

export { AMAZON_ROOTS, CREDENTIALS_PORT, Connect, CredentialsProvider, Deadlines, GetEvidence, KmsClient, KmsClientOptions, KmsError, KmsServiceError, NO_ENCRYPTION_CONTEXT, RECIPIENT_PURPOSE, cachedCredentials, createEnclaveKmsClient, createKmsClient, createUnsafeParentClient, createVsockCredentials, defaultConnect, defaultCredentials, defaultGetEvidence, fromImds, openAwsEndpoint, openEnvelope, openEnvelopeStream, ordinaryCredentials, sealedEnvelope, sealedEnvelopeStream, serveCredentials, verifyKeyPolicyOf };
export type { AsymmetricEncryptionAlgorithm, AsymmetricInput, AwsEndpoint, AwsEndpointOptions, AwsRequest, AwsResponse, CachedCredentialsOptions, CallOptions, CredentialsServed, DataKeyPairSpec, DecryptDataKey, DecryptInput, DecryptOutput, DeriveSharedSecretInput, DeriveSharedSecretOutput, DescribeKeyOutput, EnclaveKmsClientOptions, EncryptInput, EncryptOutput, EncryptionContext, ExpectedOwnKeyPolicy, GenerateDataKey, GenerateDataKeyInput, GenerateDataKeyOutput, GenerateDataKeyPairInput, GenerateDataKeyPairOutput, GenerateRandomInput, GenerateRandomOutput, GetKeyPolicyOutput, GetPublicKeyOutput, Grant, GrantInput, ImdsOptions, KeyMetadata, KeyOutput, KmsRequestEvent, KmsServiceErrorDetails, ListGrantsOutput, OpenEnvelopeOptions, OpenEnvelopeStreamOptions, OpenOptions, OrdinaryCredentialsOptions, SealOptions, SealedEnvelopeOptions, SealedEnvelopeStreamOptions, ServeCredentialsOptions, SymmetricAlgorithm, SymmetricInput, UnsafeParentClient, UnsafeParentClientOptions, UnsafeParentRequest, VsockCredentialsOptions };

// policy.d.ts

import { R as ReferenceValues } from './verify.js';
export { A as AttestedAccess, E as ExpectedKeyPolicy, G as Grant, a as GrantList, K as KeyDescription, b as KeyOrigin, V as VerifiedKeyPolicy, c as VerifyKeyPolicyOptions, v as verifyKeyPolicy } from './verify.js';
import { K as KmsError, a as KmsErrorCode } from './error.js';
export { b as KmsErrorDetails } from './error.js';

/** Options of {@link createKeyPolicy}. */
interface CreateKeyPolicyOptions {
    /** Account that owns the key: 12 digits. Administrators and the partition must fit it. */
    readonly account: string;
    /**
     * One set for each image that may use the key. All name the same PCRs: 0, 1 and 2 together, or 8, or both, and where
     * wanted 3 (the parent's role), 4 (the parent instance) and 16 to 31 (what the application extended and locked).
     */
    readonly images: ReferenceValues | readonly ReferenceValues[];
    /** ARNs of the roles whose credentials the enclaves use. Not an account's root: IAM would choose who. */
    readonly enclaveRoles: readonly string[];
    /**
     * ARNs of who looks after the key: disable, rotate, tag, schedule its deletion; and replace the policy, unless it is
     * `locked`. None of these yields plaintext. The account's root is a good one: a role that is deleted leaves a key
     * that nobody can delete.
     */
    readonly administrators: readonly string[];
    /** ARNs of those outside of enclaves who encrypt for them. Default none. */
    readonly encrypters?: readonly string[];
    /**
     * True: nobody replaces the policy ever again, the account's root included. A new image then needs a new key, and
     * what the old one protects must be encrypted anew by an old enclave. False: whoever
     * administers can replace the policy, and so decrypt.
     */
    readonly locked: boolean;
    /** Default `ENCRYPT_DECRYPT`. `KEY_AGREEMENT` keys have DeriveSharedSecret in the place of Decrypt and data keys. */
    readonly keyUsage?: 'ENCRYPT_DECRYPT' | 'KEY_AGREEMENT';
    /** Accepts PCRs of zero: any image in debug mode, with its console open to the parent. Default false. */
    readonly allowDebugMode?: boolean;
}
/** Conditions on PCRs: each condition key to one value or several. */
type PcrCondition = Readonly<Record<`kms:RecipientAttestation:PCR${number}`, string | readonly string[]>>;
/** A statement of {@link KeyPolicy}. */
interface KeyPolicyStatement {
    readonly Sid: string;
    readonly Effect: 'Allow' | 'Deny';
    readonly Principal: '*' | {
        readonly AWS: readonly string[];
    };
    readonly Action: readonly string[];
    readonly Resource: '*';
    readonly Condition?: Readonly<Partial<Record<'StringEqualsIgnoreCase' | 'StringNotEqualsIgnoreCase', PcrCondition>>>;
}
/** A key policy in the form that KMS takes. */
interface KeyPolicy {
    readonly Version: '2012-10-17';
    readonly Statement: readonly KeyPolicyStatement[];
}
/** What {@link createKeyPolicy} gives. */
interface CreatedKeyPolicy {
    readonly policy: KeyPolicy;
    /** `Policy` of CreateKey and PutKeyPolicy. */
    readonly json: string;
    /**
     * `BypassPolicyLockoutSafetyCheck` of CreateKey and PutKeyPolicy. KMS refuses a policy that does not let the caller
     * replace it later, which is what a locked one is for.
     */
    readonly bypassPolicyLockoutSafetyCheck: boolean;
}
/**
 * Makes the policy of a key that only certain images can use.
 *
 * Each image has its own Allow with all its PCRs, since value lists would also admit PCR0 of one image with PCR1 of
 * another. Each PCR has its own Deny for everyone, since several PCRs in one negated condition would deny only what
 * differs in all of them. A negated condition also holds where the PCR is absent, so calls without an attestation document
 * are denied too. Nobody is exempt. A Deny holds against grants and IAM policies as well; what no document can be asked
 * for (CreateGrant, ReEncryptFrom, ReplicateKey, and PutKeyPolicy when `locked`) is denied without a condition.
 *
 * The enclave's role may further Encrypt, DescribeKey, GetPublicKey, GetKeyPolicy and ListGrants, from outside as well.
 * GenerateRandom has no key and needs an IAM policy. For a role of another account an IAM policy there must allow the
 * same. `GenerateDataKeyWithoutPlaintext` is denied to all: it has no `Recipient`.
 *
 * ```ts
 * import { createKeyPolicy } from '@enclavejs/kms-enclave/policy'
 *
 * export const { json, bypassPolicyLockoutSafetyCheck } = createKeyPolicy({
 *   account: '123456789012',
 *   images: { pcrs: { 0: '0f'.repeat(48), 1: '1f'.repeat(48), 2: '2f'.repeat(48) } },
 *   enclaveRoles: ['arn:aws:iam::123456789012:role/enclave'],
 *   administrators: ['arn:aws:iam::123456789012:root'],
 *   locked: true,
 * })
 * ```
 *
 * @throws {KeyPolicyError} `ERR_KMS_POLICY_SIZE` when it is more than 32 KiB: more than some 30 images.
 * @throws {TypeError | RangeError} naming the option.
 * @see AWS KMS developer guide, "Condition keys for Nitro Enclaves"; IAM user guide, "Conditions with multiple context keys or values"
 */
declare function createKeyPolicy(given: CreateKeyPolicyOptions): CreatedKeyPolicy;

/** Options of {@link explain}. Whatever is left out is not compared. */
interface ExplainOptions {
    /** `Policy` of GetKeyPolicy. */
    readonly policy: string;
    /** The action that was denied: `Decrypt`, or `kms:Decrypt`. */
    readonly action: string;
    /**
     * PCRs of the document that was sent, hex or bytes; a PCR that was not locked is not in a document. Left out: the call
     * had no document.
     */
    readonly pcrs?: ReadonlyMap<number, string | Uint8Array> | Readonly<Record<number | `PCR${number}`, string | Uint8Array>>;
    /** ARN of the caller's role, or of its session (`arn:…:sts::…:assumed-role/…`). */
    readonly roleArn?: string;
    /** Account of the caller. Default: that of `roleArn`. */
    readonly account?: string;
    /** Region that the call was sent to. */
    readonly region?: string;
    /** ARN of the key that was meant. */
    readonly keyArn?: string;
}
/** One thing that keeps a call from being allowed. Statements go by Sid, or `Statement[n]`. */
type Mismatch = 
/** A Deny or an unfulfilled Allow: the PCR is not what the statement wants. `actual` undefined: not in the document. */
{
    readonly kind: 'pcr';
    readonly statement: string;
    readonly effect: 'Allow' | 'Deny';
    readonly pcr: number;
    readonly expected: readonly string[];
    readonly actual: string | undefined;
}
/** A Deny without a condition on PCRs. */
 | {
    readonly kind: 'denied';
    readonly statement: string;
}
/** An Allow for somebody else. */
 | {
    readonly kind: 'principal';
    readonly statement: string;
    readonly expected: readonly string[];
    readonly actual: string;
}
/** No Allow names the action. */
 | {
    readonly kind: 'action';
    readonly action: string;
}
/** The caller's account is not the key's: an IAM policy there must allow the call too. */
 | {
    readonly kind: 'account';
    readonly expected: string;
    readonly actual: string;
}
/** The call went to a Region where the key is not. */
 | {
    readonly kind: 'region';
    readonly expected: string;
    readonly actual: string;
}
/** An Allow for an account: the caller's IAM policy decides. */
 | {
    readonly kind: 'iam';
    readonly statement: string;
}
/** Something that is not understood; it may decide. `statement` undefined: the policy as a whole, or an option. */
 | {
    readonly kind: 'not-understood';
    readonly statement: string | undefined;
    readonly what: string;
};
/** What {@link explain} finds. */
interface Explanation {
    /** What the key policy alone says; `unknown` where something that is not understood, or IAM, decides. */
    readonly verdict: 'allowed' | 'denied' | 'unknown';
    /** Denies first, then the Allow that came closest, then the rest. */
    readonly mismatches: readonly Mismatch[];
    /** The same for people, one sentence each. */
    readonly sentences: readonly string[];
}
/**
 * Says why a key policy denies a call: KMS itself answers AccessDenied and no more. It never throws, whatever the policy
 * is, and says what it did not understand. It explains and proves nothing: use `verifyKeyPolicy` to judge a policy.
 *
 * ```ts
 * import { explain } from '@enclavejs/kms-enclave/policy'
 *
 * export function why(policy: string, pcrs: Map<number, Uint8Array>): string {
 *   const roleArn = 'arn:aws:iam::123456789012:role/enclave'
 *   return explain({ policy, action: 'Decrypt', pcrs, roleArn }).sentences.join('\n')
 * }
 * ```
 */
declare function explain(options: ExplainOptions): Explanation;

/** A key policy, a grant or a key was refused: codes `ERR_KMS_POLICY_…`. Nothing of it may be relied on. */
declare class KeyPolicyError extends KmsError {
    /** The statement's Sid, `Statement[n]` without one, `Grants[n]` for a grant; undefined where none is at fault. */
    readonly statement: string | undefined;
    constructor(code: KmsErrorCode, message: string, statement?: string, cause?: unknown);
}

export { KeyPolicyError, KmsError, KmsErrorCode, ReferenceValues, createKeyPolicy, explain };
export type { CreateKeyPolicyOptions, CreatedKeyPolicy, ExplainOptions, Explanation, KeyPolicy, KeyPolicyStatement, Mismatch, PcrCondition };

// verify.d.ts

/** The parts of a grant that are looked at. */
interface Grant {
    readonly KeyId?: string | undefined;
    readonly GranteePrincipal?: string | undefined;
    readonly Operations?: readonly string[] | undefined;
}
/** An answer of ListGrants. */
interface GrantList {
    readonly Grants?: readonly Grant[] | undefined;
    /** Must be there: an answer that does not say whether it is the last is refused. */
    readonly Truncated?: boolean | undefined;
    /** Stands in an answer that is not the last, and in no other. */
    readonly NextMarker?: string | undefined;
}

/** Where key material comes from, as DescribeKey says it. */
type KeyOrigin = 'AWS_KMS' | 'EXTERNAL' | 'AWS_CLOUDHSM' | 'EXTERNAL_KEY_STORE';
type Texts = Readonly<Partial<Record<'Arn' | 'KeyManager' | 'KeyUsage' | 'Origin', string | undefined>>>;
/** The parts of DescribeKey's `KeyMetadata` that are looked at: `Arn`, `KeyManager`, `KeyUsage`, `Origin`, `MultiRegion`. */
interface KeyDescription extends Texts {
    readonly MultiRegion?: boolean | undefined;
}

/**
 * What one image must measure to, in the shape that `@enclavejs/eif` gives and `@enclavejs/attestation` takes. It pins
 * PCR0, 1 and 2 together, or PCR8, or both, and any others beside them.
 */
interface ReferenceValues {
    /** The name of this set in results. Needed as soon as there are several. */
    readonly label?: string;
    /** PCR index (0 to 31; `0` or `PCR0`) to its 48 bytes, as bytes or as 96 hex digits. */
    readonly pcrs: Readonly<Record<number | `PCR${number}`, string | Uint8Array>>;
}

/** What a key's policy must amount to, whatever its text. */
interface ExpectedKeyPolicy {
    /** The key's full ARN. */
    readonly keyArn: string;
    /** The images that may use the key; the policy may admit fewer, and no other. */
    readonly images: ReferenceValues | readonly ReferenceValues[];
    /** ARNs of the roles that may use the key with a document of such an image. */
    readonly enclaveRoles: readonly string[];
    /** ARNs of who may administer the key. */
    readonly administrators: readonly string[];
    /** ARNs of who else may encrypt and read about the key. Default none. */
    readonly encrypters?: readonly string[];
    /** True: nobody may be able to replace the policy. False: administrators may, and the result holds for its moment. */
    readonly locked: boolean;
    /** Where the key material comes from. Default `AWS_KMS`: nobody outside of KMS ever had it. */
    readonly origin?: KeyOrigin;
    /** Accepts a multi-Region key; the policies of its replicas are then not verified. Default false. */
    readonly allowMultiRegion?: boolean;
    /** Accepts PCRs of zero in `images`, and a policy that admits debug mode. Default false. */
    readonly allowDebugMode?: boolean;
}
/** Options of {@link verifyKeyPolicy}. */
interface VerifyKeyPolicyOptions {
    /** `Policy` of GetKeyPolicy, the text as it came. */
    readonly policy: string;
    /** The answer of ListGrants; all of them in order where there were several pages. */
    readonly grants: GrantList | readonly GrantList[];
    /** `KeyMetadata` of DescribeKey. */
    readonly key: KeyDescription;
    readonly expected: ExpectedKeyPolicy;
    /** The moment before the first of the three was asked for. Default: now. */
    readonly currentDate?: Date;
}
/** An action that yields plaintext, and who can have it. */
interface AttestedAccess {
    /** `Decrypt`, `GenerateDataKey`, `GenerateDataKeyPair` or `DeriveSharedSecret`. */
    readonly action: string;
    /** Labels of the images, `image` for one without. */
    readonly images: readonly string[];
    readonly principals: readonly string[];
}
/** What was verified. */
interface VerifiedKeyPolicy {
    readonly keyArn: string;
    /** When it was true. With `locked` it stays true; without, the next moment can differ. */
    readonly at: Date;
    readonly locked: boolean;
    /** Who gets plaintext; no other can. Empty when the policy admits nobody. */
    readonly access: readonly AttestedAccess[];
    /** Grants there are, none of which gives anything secret. */
    readonly grants: number;
}
/**
 * Verifies that a key gives plaintext to the expected images alone, from what KMS says about it.
 *
 * It judges what the policy amounts to, not its text; but it must understand all of it. `NotAction`, `NotPrincipal`,
 * unknown actions, wildcards in an Allow, `IfExists`, `ForAnyValue`, other operators and condition keys are refused, in a
 * Deny as well.
 *
 * The three answers are only worth what the connection was that they came over: ask from inside the enclave, over its own
 * TLS. Ask for the policy first and for the grants last: under a locked policy nobody can add a grant any more, so what is
 * listed after it is all there will ever be. KMS is eventually consistent: a policy or a grant of the last minutes may
 * not show yet.
 *
 * Not proven: what IAM policies say (the key's policy bounds them), that the key is enabled, who calls `Encrypt`.
 *
 * ```ts
 * import { verifyKeyPolicy, type GrantList, type KeyDescription } from '@enclavejs/kms-enclave/policy'
 *
 * export function check(policy: string, key: KeyDescription, grants: GrantList, pcr: string[]) {
 *   const [pcr0 = '', pcr1 = '', pcr2 = ''] = pcr
 *   return verifyKeyPolicy({
 *     policy,
 *     key,
 *     grants,
 *     expected: {
 *       keyArn: 'arn:aws:kms:eu-west-1:123456789012:key/0d990263-018e-4e65-a703-eff731de951e',
 *       images: { pcrs: { 0: pcr0, 1: pcr1, 2: pcr2 } },
 *       enclaveRoles: ['arn:aws:iam::123456789012:role/enclave'],
 *       administrators: ['arn:aws:iam::123456789012:root'],
 *       locked: true,
 *     },
 *   })
 * }
 * ```
 *
 * @throws {KeyPolicyError} `ERR_KMS_POLICY_…`, with the statement at fault.
 * @throws {TypeError | RangeError} naming the option.
 */
declare function verifyKeyPolicy(given: VerifyKeyPolicyOptions): VerifiedKeyPolicy;

export { verifyKeyPolicy as v };
export type { AttestedAccess as A, ExpectedKeyPolicy as E, Grant as G, KeyDescription as K, ReferenceValues as R, VerifiedKeyPolicy as V, GrantList as a, KeyOrigin as b, VerifyKeyPolicyOptions as c };
