import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.engine.DefaultRegistrationEngineFactory;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.resource.BaseInstanceEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.send.ManualDataSender;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mResourceInstance;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.DeregisterRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.WriteResponse;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientProtocolProvider;

/**
 * A device made with Leshan's client library, driven by lines on standard input; says what happens on standard output.
 *
 * Arguments: server, endpoint, lifetime in seconds, "queue" or "-", then DDF files of the objects it has. Properties for
 * a server with DTLS: "identity" and "key" in hex; or "certificate", "privateKey" and "serverCertificate", DER files; and
 * "connectionId", the length of the one that it wants for itself.
 */
public class LeshanDevice {

    private static final int SHORT_SERVER_ID = 123;
    private static final long SEND_TIMEOUT_MS = 5000;

    /** An object instance that keeps what is written to it; a changed value is notified. */
    public static class Values extends BaseInstanceEnabler {
        private final Map<Integer, LwM2mResource> values = new ConcurrentHashMap<>();

        @Override
        public ReadResponse read(LwM2mServer server, int resource) {
            LwM2mResource value = values.get(resource);
            return value == null ? ReadResponse.notFound() : ReadResponse.success(value);
        }

        @Override
        public WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
            values.put(resource, value);
            Object shown = value.isMultiInstances() ? value.getInstances() : value.getValue();
            say("written " + resource + " " + (shown instanceof byte[] ? ((byte[]) shown).length + " bytes" : shown));
            fireResourceChange(resource);
            return WriteResponse.success();
        }

        @Override
        public WriteResponse write(LwM2mServer server, boolean replace, int resource, int instance,
                LwM2mResourceInstance value) {
            Map<Integer, LwM2mResourceInstance> instances = new HashMap<>(values.get(resource).getInstances());
            instances.put(instance, value);
            values.put(resource, new LwM2mMultipleResource(resource, value.getType(), instances.values()));
            fireResourceChange(resource);
            return WriteResponse.success();
        }

        @Override
        public ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
            say("executed " + resource + " " + arguments.serialize());
            return ExecuteResponse.success();
        }

        @Override
        public List<Integer> getAvailableResourceIds(ObjectModel model) {
            return new ArrayList<>(values.keySet());
        }

        void put(int resource, double value) {
            values.put(resource, LwM2mSingleResource.newFloatResource(resource, value));
        }

        void put(int resource, String value) {
            values.put(resource, LwM2mSingleResource.newStringResource(resource, value));
        }

        void put(LwM2mResource value) {
            values.put(value.getId(), value);
        }
    }

    /** Says how requests to the server ended. */
    private static class Witness extends LwM2mClientObserverAdapter {
        @Override
        public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String registrationId) {
            say("registered " + registrationId);
        }

        @Override
        public void onRegistrationFailure(LwM2mServer server, RegisterRequest request, ResponseCode code,
                String reason, Exception cause) {
            say("refused " + code + " " + reason);
        }

        @Override
        public void onUpdateSuccess(LwM2mServer server, UpdateRequest request) {
            say("updated");
        }

        @Override
        public void onDeregistrationSuccess(LwM2mServer server, DeregisterRequest request) {
            say("deregistered");
        }
    }

    public static void main(String[] arguments) throws Exception {
        List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadDefault());
        for (int index = 4; index < arguments.length; index++) {
            File file = new File(arguments[index]);
            try (InputStream content = new FileInputStream(file)) {
                models.addAll(ObjectLoader.loadDdfFile(content, file.getName()));
            }
        }
        Values device = new Values();
        device.put(0, "Leshan");
        device.put(16, "U");
        device.put(14, "+01:00");
        device.put(LwM2mMultipleResource.newIntegerResource(7, Map.of(0, 3800L, 1, 5000L)));
        Values firmware = new Values();
        firmware.put(LwM2mSingleResource.newIntegerResource(3, 0));
        Values temperature = new Values();
        temperature.put(5700, 20.0);
        temperature.put(5701, "Cel");
        Values environment = new Values();
        environment.put(0, 20.0);
        environment.put(1, 50.0);
        environment.put(2, 101325.0);

        ObjectsInitializer objects = new ObjectsInitializer(new StaticModel(models));
        objects.setInstancesForObject(0, security(arguments[0]));
        objects.setInstancesForObject(1, new Server(SHORT_SERVER_ID, Long.parseLong(arguments[2]),
                EnumSet.of(BindingMode.U), false, BindingMode.U));
        objects.setInstancesForObject(3, device);
        objects.setInstancesForObject(5, firmware);
        objects.setClassForObject(3303, Values.class);
        objects.setInstancesForObject(3303, temperature);
        objects.setInstancesForObject(10300, environment);

        DefaultRegistrationEngineFactory engine = new DefaultRegistrationEngineFactory();
        engine.setQueueMode(arguments[3].equals("queue"));
        LeshanClientBuilder builder = new LeshanClientBuilder(arguments[1]);
        builder.setObjects(objects.createAll());
        builder.setRegistrationEngineFactory(engine);
        builder.setDataSenders(new ManualDataSender());
        builder.setEndpointsProviders(endpoints());
        LeshanClient client = builder.build();
        client.addObserver(new Witness());
        client.start();
        obey(client, temperature, environment);
    }

    private static Security security(String server) throws Exception {
        if (System.getProperty("identity") != null) {
            return Security.psk(server, SHORT_SERVER_ID, System.getProperty("identity").getBytes("UTF-8"),
                    HexFormat.of().parseHex(System.getProperty("key")));
        }
        if (System.getProperty("certificate") != null) {
            return Security.x509(server, SHORT_SERVER_ID, file("certificate"), file("privateKey"),
                    file("serverCertificate"));
        }
        return Security.noSec(server, SHORT_SERVER_ID);
    }

    private static byte[] file(String property) throws Exception {
        return Files.readAllBytes(Path.of(System.getProperty(property)));
    }

    private static CaliforniumClientEndpointsProvider endpoints() {
        CaliforniumClientEndpointsProvider.Builder builder = new CaliforniumClientEndpointsProvider.Builder(
                new CoapClientProtocolProvider(), new CoapsClientProtocolProvider());
        Configuration configuration = builder.createDefaultConfiguration();
        if (System.getProperty("connectionId") != null) {
            configuration.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, Integer.getInteger("connectionId"));
        }
        builder.setConfiguration(configuration);
        return builder.build();
    }

    /** Lines: `temperature V`, `environment T H P`, `text LENGTH`, `collect`, `send FORMAT`, `update`, `stop`. */
    private static void obey(LeshanClient client, Values temperature, Values environment) throws Exception {
        LwM2mPath sensor = new LwM2mPath(3303, 0, 5700);
        ManualDataSender sender = client.getSendService().getDataSender(ManualDataSender.DEFAULT_NAME,
                ManualDataSender.class);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
            case "temperature":
                temperature.put(5700, Double.parseDouble(words[1]));
                temperature.fireResourceChange(5700);
                break;
            case "environment":
                for (int resource = 0; resource < 3; resource++) {
                    environment.put(resource, Double.parseDouble(words[resource + 1]));
                }
                environment.fireResourcesChange(new LwM2mPath(10300, 0, 0), new LwM2mPath(10300, 0, 1),
                        new LwM2mPath(10300, 0, 2));
                break;
            case "text":
                temperature.put(5750, "x".repeat(Integer.parseInt(words[1])));
                temperature.fireResourceChange(5750);
                break;
            case "collect":
                sender.collectData(List.of(sensor));
                say("collected");
                break;
            case "send":
                for (LwM2mServer server : client.getRegisteredServers().values()) {
                    sender.sendCollectedData(server, ContentFormat.fromCode(words[1]), SEND_TIMEOUT_MS, false);
                }
                say("sent");
                break;
            case "update":
                client.triggerRegistrationUpdate();
                break;
            case "stop":
                client.destroy(true);
                say("stopped");
                return;
            default:
                say("unknown " + line);
            }
        }
        client.destroy(false);
    }

    private static synchronized void say(String text) {
        System.out.println(text);
    }
}
