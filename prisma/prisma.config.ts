import { defineConfig } from "prisma/config";

// `prisma generate` needs none of Prisma's native engines, yet would download one to be sure it is there. It does not
// when told where to find it, and any executable passes. Migrations are ours (sql/), so nothing ever runs it.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

export default defineConfig({ schema: "schema.prisma" });
