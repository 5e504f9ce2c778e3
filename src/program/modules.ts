import { describeModules } from '#app';

/** `npm start -- modules`: what this house is made of. */
export async function modules(): Promise<void> {
  for (const { name, routes, tables, events, permissions } of await describeModules()) {
    process.stdout.write(
      `${name.padEnd(20)} ${String(routes).padStart(3)} routes  ${String(tables).padStart(3)} tables  ${String(events).padStart(3)} events  ${String(permissions).padStart(3)} permissions\n`,
    );
  }
}
