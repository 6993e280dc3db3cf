import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import org.eclipse.leshan.client.californium.LeshanClient;
import org.eclipse.leshan.client.californium.LeshanClientBuilder;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.resource.BaseInstanceEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.servers.ServerIdentity;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.request.DeregisterRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.WriteResponse;

/**
 * A device of LwM2M 1.0, made with Leshan 1.x's client library, driven by lines on standard input; says what happens on
 * standard output.
 *
 * Arguments: server, endpoint, lifetime in seconds, "queue" or "-", then DDF files of the objects it has.
 */
public class Leshan10Device {

    private static final int SHORT_SERVER_ID = 123;

    /** An object instance that keeps what is written to it. */
    public static class Values extends BaseInstanceEnabler {
        private final Map<Integer, LwM2mResource> values = new ConcurrentHashMap<>();

        @Override
        public ReadResponse read(ServerIdentity server, int resource) {
            LwM2mResource value = values.get(resource);
            return value == null ? ReadResponse.notFound() : ReadResponse.success(value);
        }

        @Override
        public WriteResponse write(ServerIdentity server, int resource, LwM2mResource value) {
            values.put(resource, value);
            Object shown = value.isMultiInstances() ? value.getValues() : value.getValue();
            say("written " + resource + " " + (shown instanceof byte[] ? ((byte[]) shown).length + " bytes" : shown));
            return WriteResponse.success();
        }

        @Override
        public ExecuteResponse execute(ServerIdentity server, int resource, String arguments) {
            say("executed " + resource + " " + arguments);
            return ExecuteResponse.success();
        }

        @Override
        public List<Integer> getAvailableResourceIds(ObjectModel model) {
            return new ArrayList<>(values.keySet());
        }

        Values with(LwM2mResource value) {
            values.put(value.getId(), value);
            return this;
        }
    }

    /** Says how requests to the server ended. */
    private static class Witness extends LwM2mClientObserverAdapter {
        @Override
        public void onRegistrationSuccess(ServerIdentity server, RegisterRequest request, String registrationId) {
            say("registered " + registrationId);
        }

        @Override
        public void onRegistrationFailure(ServerIdentity server, RegisterRequest request, ResponseCode code,
                String reason, Exception cause) {
            say("refused " + code + " " + reason);
        }

        @Override
        public void onUpdateSuccess(ServerIdentity server, UpdateRequest request) {
            say("updated");
        }

        @Override
        public void onDeregistrationSuccess(ServerIdentity server, DeregisterRequest request) {
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
        Values device = new Values().with(LwM2mSingleResource.newStringResource(0, "Leshan"))
                .with(LwM2mMultipleResource.newResource(7, Map.of(0, 3800L, 1, 5000L), Type.INTEGER))
                .with(LwM2mSingleResource.newDateResource(13, new Date(1767225600000L)))
                .with(LwM2mSingleResource.newStringResource(14, "+01:00"));
        Values firmware = new Values().with(LwM2mSingleResource.newIntegerResource(3, 0));
        Values temperature = new Values().with(LwM2mSingleResource.newFloatResource(5700, 20.0))
                .with(LwM2mSingleResource.newStringResource(5701, "Cel"));

        ObjectsInitializer objects = new ObjectsInitializer(new StaticModel(models));
        objects.setInstancesForObject(0, Security.noSec(arguments[0], SHORT_SERVER_ID));
        objects.setInstancesForObject(1, new Server(SHORT_SERVER_ID, Long.parseLong(arguments[2]),
                arguments[3].equals("queue") ? BindingMode.UQ : BindingMode.U, false));
        objects.setInstancesForObject(3, device);
        objects.setInstancesForObject(5, firmware);
        objects.setClassForObject(3303, Values.class);
        objects.setInstancesForObject(3303, temperature);

        LeshanClientBuilder builder = new LeshanClientBuilder(arguments[1]);
        builder.setObjects(objects.createAll());
        LeshanClient client = builder.build();
        client.addObserver(new Witness());
        client.start();
        obey(client, temperature);
    }

    /** Lines: `temperature V`, `update`, `stop`. */
    private static void obey(LeshanClient client, Values temperature) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
            case "temperature":
                temperature.with(LwM2mSingleResource.newFloatResource(5700, Double.parseDouble(words[1])));
                temperature.fireResourcesChange(5700);
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
