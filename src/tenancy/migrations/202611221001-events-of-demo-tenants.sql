-- Every event of a demo tenant says so, whoever appends it: one look at the tenant's row inside the insert that is made anyway.
CREATE FUNCTION lintel_mark_demo_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM public.tenants WHERE id = NEW.tenant_id AND demo) THEN
    NEW.event := jsonb_set(NEW.event, '{demo}', 'true');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER mark_demo_event BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION lintel_mark_demo_event();
