/** What `found` returns at the time that a member of it is used: tests name it before it is there. */
export function later<Value extends object>(found: () => Value | undefined): Value {
  return new Proxy({} as Value, {
    get(_, name) {
      const value = found();
      if (value === undefined) throw new Error(`${String(name)} is used before the tests begin`);
      return Reflect.get(value, name);
    },
  });
}
