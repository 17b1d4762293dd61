// Downloads with the JavaScript clients of the Hub, as their READMEs show.
//
//   node hub.mjs file REPO PATH OUT [xet|plain] [TOKEN]
//   node hub.mjs slice REPO PATH OUT START END
//   node hub.mjs list REPO
//   node hub.mjs snapshot REPO DIR
//   node hub.mjs gguf REPO PATH
//   node hub.mjs fetch URL OUT
import { writeFile } from "node:fs/promises";

// Node reads HTTPS_PROXY itself where it knows NODE_USE_ENV_PROXY; elsewhere
// an application has to bring undici's agent.
const native = process.env.NODE_USE_ENV_PROXY === "1" && process.allowedNodeEnvironmentFlags.has("--use-env-proxy");
const undici = native ? undefined : await import("undici");
const agent = native ? undefined : new undici.EnvHttpProxyAgent();
const fetch = native ? globalThis.fetch : (url, init) => undici.fetch(url, { ...init, dispatcher: agent });

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
		await save(out, (await downloadFile({ repo, path, fetch })).slice(Number(start), Number(end)));
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
