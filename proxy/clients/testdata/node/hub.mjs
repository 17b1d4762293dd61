// Downloads with the JavaScript clients of the Hub, as their READMEs show.
//
//   node hub.mjs file REPO PATH OUT [xet|plain] [TOKEN]
//   node hub.mjs slice REPO PATH OUT START END
//   node hub.mjs stale REPO COMMIT HASH SIZE OUT [TOKEN]
//   node hub.mjs stream REPO PATH
//   node hub.mjs list REPO
//   node hub.mjs snapshot REPO DIR
//   node hub.mjs gguf REPO PATH
//   node hub.mjs fetch URL OUT
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";

// Node reads HTTPS_PROXY itself where it knows NODE_USE_ENV_PROXY; elsewhere
// an application has to bring undici's agent.
const native = process.env.NODE_USE_ENV_PROXY === "1" && process.allowedNodeEnvironmentFlags.has("--use-env-proxy");
const undici = native ? undefined : await import("undici");
const agent = native ? undefined : new undici.EnvHttpProxyAgent();
const fetch = native ? globalThis.fetch : (url, init) => undici.fetch(url, { ...init, dispatcher: agent });

const hubUrl = process.env.HF_ENDPOINT ?? "https://huggingface.co";

const [command, ...args] = process.argv.slice(2);
const save = async (path, blob) => {
	if (!blob) throw new Error("no such file");
	await writeFile(path, Buffer.from(await blob.arrayBuffer()));
};
const commands = {
	async file(repo, path, out, way = "xet", accessToken) {
		const { downloadFile } = await import("@huggingface/hub");
		const blob = await downloadFile({ repo, path, xet: way === "xet", accessToken, fetch });
		await save(out, blob);
		console.log(blob.constructor.name); // XetBlob if it came by Xet
	},
	async slice(repo, path, out, start, end) {
		const { downloadFile } = await import("@huggingface/hub");
		const blob = await downloadFile({ repo, path, hubUrl, fetch });
		await save(out, blob.slice(Number(start), Number(end)));
		console.log(blob.constructor.name, blob.size);
	},
	// What a client does that has an old list of files: it asks for Xet by
	// itself, and finds the storage by the token.
	async stale(repo, commit, hash, size, out, accessToken) {
		const { __internal_XetBlob: XetBlob } = await import("@huggingface/hub");
		const refreshUrl = `${hubUrl}/api/models/${repo}/xet-read-token/${commit}`;
		await save(out, new XetBlob({ refreshUrl, hash, size: Number(size), accessToken, fetch }));
	},
	// For a file that is too large to be kept.
	async stream(repo, path) {
		const { downloadFile } = await import("@huggingface/hub");
		const blob = await downloadFile({ repo, path, hubUrl, fetch });
		const sum = createHash("sha256");
		let size = 0;
		for await (const chunk of (await blob.response?.() ?? new Response(blob.stream())).body) {
			sum.update(chunk);
			size += chunk.byteLength;
		}
		console.log(blob.constructor.name, size, sum.digest("hex"));
	},
	async list(repo) {
		const { listFiles } = await import("@huggingface/hub");
		for await (const entry of listFiles({ repo, recursive: true, fetch })) {
			if (entry.type === "file") console.log(entry.path, entry.size, entry.lfs?.oid ?? "", entry.xetHash ?? "");
		}
	},
	async snapshot(repo, cacheDir) {
		const { snapshotDownload } = await import("@huggingface/hub");
		console.log(await snapshotDownload({ repo, cacheDir, fetch }));
	},
	async gguf(repo, path) {
		const { gguf } = await import("@huggingface/gguf");
		const { metadata, tensorInfos } = await gguf(`https://huggingface.co/${repo}/resolve/main/${path}`, { fetch });
		console.log(metadata["general.architecture"], tensorInfos.length);
	},
	async fetch(url, out) {
		const response = await fetch(url);
		if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
		await save(out, response);
	},
};
try {
	await commands[command](...args);
} catch (e) {
	console.error(e);
	process.exitCode = 1;
} finally {
	await agent?.close();
}
